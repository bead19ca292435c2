#include "lib/inspect/answer_merge.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <nlohmann/json.hpp>
#include <unordered_set>
#include <utility>

#include "lib/inspect/span_splitter.hpp"
#include "spanwire/inspect/jaeger.hpp"
#include "spanwire/inspect/span_reader.hpp"

namespace spanwire::inspect {
namespace {

using Json = nlohmann::ordered_json;
using Keys = std::unordered_set<std::string>;

class PartFile {
 public:
  explicit PartFile(const AnswerPart& part) : path_(part.body.temporary_path()) {}

  Result<void> open() {
    file_.reset(std::fopen(path_.c_str(), "re"));
    if (!file_) return fail(Errc::file_open_failed, path_ + ": " + std::strerror(errno));
    return {};
  }
  Result<std::string> read(ByteRange range) {
    std::string bytes(range.end - range.begin, '\0');
    if (::fseeko(file_.get(), static_cast<off_t>(range.begin), SEEK_SET) != 0 ||
        std::fread(bytes.data(), 1, bytes.size(), file_.get()) != bytes.size()) {
      return fail(Errc::file_read_failed, path_ + ": " + std::strerror(errno));
    }
    return bytes;
  }

 private:
  std::string path_;
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_{nullptr, &std::fclose};
};

std::string key_of(const Json& span) {
  return span.value("traceId", std::string()) + '/' + span.value("spanId", std::string());
}

// Takes out of one resource's spans those that are known, adds the others to `fresh`.  Returns
// whether anything was taken out.
bool remove_known(Json& resource, const Keys& known, Keys& fresh, std::uint64_t& kept) {
  bool changed = false;
  const auto scopes = resource.find("scopeSpans");
  if (scopes == resource.end() || !scopes->is_array()) return false;
  for (Json& scope : *scopes) {
    const auto spans = scope.is_object() ? scope.find("spans") : scope.end();
    if (!scope.is_object() || spans == scope.end() || !spans->is_array()) continue;
    Json left = Json::array();
    for (Json& span : *spans) {
      if (!span.is_object()) continue;
      std::string key = key_of(span);
      if (known.count(key) != 0) {
        changed = true;
        continue;
      }
      fresh.insert(std::move(key));
      ++kept;
      left.push_back(std::move(span));
    }
    *spans = std::move(left);
  }
  return changed;
}

bool has_spans(const Json& resource) {
  const auto scopes = resource.find("scopeSpans");
  if (scopes == resource.end()) return false;
  return std::any_of(scopes->begin(), scopes->end(), [](const Json& scope) {
    const auto spans = scope.find("spans");
    return spans != scope.end() && !spans->empty();
  });
}

// Resources of several answers on their way into one.
class Merge {
 public:
  explicit Merge(WholeFile& to) : to_(to) {}

  Result<void> add(const AnswerPart& part) {
    PartFile file(part);
    SPANWIRE_TRY_VOID(file.open());
    for (const ByteRange& range : part.facts.resources) {
      if (range.end - range.begin > kPieceBytes) {
        SPANWIRE_TRY_VOID(add_in_pieces(file, range));
        continue;
      }
      SPANWIRE_TRY(std::string bytes, file.read(range));
      SPANWIRE_TRY_VOID(add_resource(std::move(bytes)));
    }
    known_.merge(fresh_);
    fresh_.clear();
    return {};
  }
  std::uint64_t kept() const noexcept { return kept_; }

 private:
  Result<void> add_resource(std::string bytes) {
    Json resource = Json::parse(bytes, nullptr, false);
    if (resource.is_discarded()) return fail(Errc::answer_not_understood, "a resource is cut");
    if (remove_known(resource, known_, fresh_, kept_)) {
      if (!has_spans(resource)) return {};
      bytes = resource.dump(-1, ' ', false, Json::error_handler_t::replace);
    }
    if (!std::exchange(first_, false)) SPANWIRE_TRY_VOID(to_.write(","));
    return to_.write(bytes);
  }

  // As several resources, each with some of its spans: it may be larger than the memory.
  Result<void> add_in_pieces(PartFile& file, const ByteRange& range) {
    Result<void> done;
    SpanSplitter splitter(
        kPieceBytes, kSpanBytesMax,
        [&](std::string_view piece, const PiecePlace&) {
          if (!done) return;
          piece.remove_prefix(kListBegin.size());
          piece.remove_suffix(kListEnd.size());
          done = add_resource(std::string(piece));
        },
        [&](const std::string& problem) { done = fail(Errc::answer_not_understood, problem); });
    splitter.feed(kListBegin);
    for (std::uint64_t at = range.begin; at < range.end && done; at += kPieceBytes) {
      SPANWIRE_TRY(const std::string bytes,
                   file.read({at, std::min<std::uint64_t>(at + kPieceBytes, range.end)}));
      splitter.feed(bytes);
    }
    splitter.feed(kListEnd);
    if (done && !splitter.ended()) return fail(Errc::answer_not_understood, "a resource is cut");
    return done;
  }

  static constexpr std::size_t kPieceBytes = kReadPieceBytes;
  // What stands around the resources of a document.
  static constexpr std::string_view kListBegin = "{\"resourceSpans\":[";
  static constexpr std::string_view kListEnd = "]}";

  WholeFile& to_;
  Keys known_;
  Keys fresh_;
  std::uint64_t kept_ = 0;
  bool first_ = true;
};

Result<std::uint64_t> merge(const std::vector<AnswerPart>& parts, WholeFile& to) {
  SPANWIRE_TRY_VOID(to.write("{\"result\":{\"resourceSpans\":["));
  Merge resources(to);
  for (const AnswerPart& part : parts) SPANWIRE_TRY_VOID(resources.add(part));
  SPANWIRE_TRY_VOID(to.write("]}}\n"));
  return resources.kept();
}

}  // namespace

Result<std::uint64_t> keep_parts(std::vector<AnswerPart>& parts, const std::string& file) {
  if (parts.size() == 1) {
    const std::uint64_t spans = parts.front().facts.spans;
    SPANWIRE_TRY_VOID(parts.front().body.keep_as(file));
    return spans;
  }
  SPANWIRE_TRY(WholeFile whole, WholeFile::create(file));
  SPANWIRE_TRY(const std::uint64_t spans, merge(parts, whole));
  SPANWIRE_TRY_VOID(whole.keep());
  return spans;
}

Result<void> unwrap_answer(const std::string& from, const std::string& to) {
  SPANWIRE_TRY(const AnswerFacts facts, scan_answer(from, {}));
  if (facts.result.end == 0) return fail(Errc::answer_not_understood, from + ": no result in it");
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(from.c_str(), "re"),
                                                             &std::fclose);
  if (!file || ::fseeko(file.get(), static_cast<off_t>(facts.result.begin), SEEK_SET) != 0) {
    return fail(Errc::file_open_failed, from + ": " + std::strerror(errno));
  }
  SPANWIRE_TRY(WholeFile whole, WholeFile::create(to));
  std::vector<char> block(std::size_t{1} << 20);
  for (std::uint64_t left = facts.result.end - facts.result.begin; left > 0;) {
    const std::size_t want = std::min<std::uint64_t>(left, block.size());
    const std::size_t got = std::fread(block.data(), 1, want, file.get());
    if (got == 0) return fail(Errc::file_read_failed, from + ": " + std::strerror(errno));
    SPANWIRE_TRY_VOID(whole.write(std::string_view(block.data(), got)));
    left -= got;
  }
  SPANWIRE_TRY_VOID(whole.write("\n"));
  return whole.keep();
}

}  // namespace spanwire::inspect
