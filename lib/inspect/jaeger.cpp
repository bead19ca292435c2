#include "spanwire/inspect/jaeger.hpp"

#include <algorithm>
#include <filesystem>
#include <unordered_map>

#include "lib/inspect/answer.hpp"
#include "lib/inspect/answer_merge.hpp"
#include "lib/inspect/http_get.hpp"
#include "lib/inspect/search_windows.hpp"
#include "lib/inspect/settling.hpp"

namespace spanwire::inspect {
namespace {

using std::chrono::nanoseconds;

// What the memory store says to a depth of its size or more.
constexpr std::string_view kDepthRefused = "search depth must be";

Error refused(const std::string& url, long status, const AnswerFacts& facts) {
  return {Errc::query_failed,
          url + ": HTTP " + std::to_string(status) + ": " + facts.error_message};
}

// The traces of several answers, each once, and whether a service asked for was in them.
class TraceCount {
 public:
  void add(const AnswerFacts& facts) {
    for (const auto& [id, asked] : facts.traces) traces_[id] |= asked;
  }
  std::size_t all() const { return traces_.size(); }
  std::size_t foreign() const {
    return static_cast<std::size_t>(std::count_if(traces_.begin(), traces_.end(),
                                                  [](const auto& trace) { return !trace.second; }));
  }

 private:
  std::unordered_map<std::string, bool> traces_;
};

// In a folder of its own beside the file, or among the temporary files.
std::string answer_place(const std::string& file) {
  if (!file.empty()) return file + ".answer";
  return (std::filesystem::temp_directory_path() / "spanwire-answer").string();
}

}  // namespace

class JaegerClient::Work {
 public:
  explicit Work(const JaegerOptions& options) : options_(options), http_(options.headers) {}

  // One answer, on the disk and looked through.  An empty search comes back without spans.
  Result<AnswerPart> ask(const std::string& url, const std::string& file,
                         std::string_view service) {
    SPANWIRE_TRY(WholeFile body, WholeFile::create(answer_place(file)));
    std::size_t bytes = 0;
    const auto sink = [&](std::string_view piece) -> Result<void> {
      bytes += piece.size();
      if (bytes > options_.answer_bytes_max) {
        return fail(Errc::answer_not_understood,
                    url + ": longer than " + std::to_string(options_.answer_bytes_max) + " bytes");
      }
      return body.write(piece);
    };
    SPANWIRE_TRY(const long status, http_.get(url, options_.timeout, sink));
    SPANWIRE_TRY_VOID(body.flush());
    Result<AnswerFacts> facts = scan_answer(body.temporary_path(), service);
    if (!facts) {
      return fail(facts.error().code(), url + ": HTTP " + std::to_string(status) + ": " +
                                            std::string(facts.error().detail()));
    }
    return AnswerPart{std::move(body), std::move(*facts), status};
  }

  // The parts of one search: more than one when the first is full.
  Result<void> search(const TraceQuery& query, const std::string& file, Fetched& fetched,
                      std::vector<AnswerPart>& parts) {
    SearchWindows windows(query, kWindowMinNs, 1, fetched);
    while (const std::optional<TraceQuery> window = windows.next()) {
      SPANWIRE_TRY(AnswerPart part, search_once(*window, file, fetched));
      if (part.facts.traces.size() >= fetched.depth && windows.halve(*window)) continue;
      if (part.facts.spans > 0) parts.push_back(std::move(part));
    }
    return {};
  }

  // A server's store may be smaller than the depth: then less is asked for.
  Result<AnswerPart> search_once(const TraceQuery& window, const std::string& file,
                                 Fetched& fetched) {
    for (;;) {
      const std::string url = traces_url(options_, window, fetched.depth);
      ++fetched.searches;
      SPANWIRE_TRY(AnswerPart part, ask(url, file, window.service));
      if (part.facts.is_empty) return fail(Errc::answer_not_understood, url + ": nothing in it");
      const bool empty = part.status == 404 && part.facts.has_error;
      if (!part.facts.has_error || empty) return part;
      const bool too_deep = part.facts.error_message.find(kDepthRefused) != std::string::npos;
      if (!too_deep || fetched.depth == 1) return fail(refused(url, part.status, part.facts));
      fetched.depth /= 2;
    }
  }

  const JaegerOptions& options_;
  HttpGetter http_;
};

JaegerClient::JaegerClient(JaegerOptions options)
    : options_(std::move(options)), work_(std::make_unique<Work>(options_)) {}

JaegerClient::~JaegerClient() = default;

Result<std::vector<std::string>> JaegerClient::services(const std::string& file) {
  const std::string url = services_url(options_);
  SPANWIRE_TRY(AnswerPart part, work_->ask(url, file, {}));
  if (part.facts.has_error) return fail(refused(url, part.status, part.facts));
  if (!part.facts.has_services && !part.facts.is_empty) {
    return fail(Errc::answer_not_understood, url + ": no list of services");
  }
  if (!file.empty()) SPANWIRE_TRY_VOID(part.body.keep_as(file));
  std::sort(part.facts.services.begin(), part.facts.services.end());
  return std::move(part.facts.services);
}

Result<Fetched> JaegerClient::probe(const TraceQuery& query, std::size_t depth,
                                    const std::string& file) {
  Fetched fetched;
  fetched.depth = depth;
  SPANWIRE_TRY(AnswerPart part, work_->search_once(query, file, fetched));
  fetched.spans = part.facts.spans;
  fetched.traces = part.facts.traces.size();
  fetched.foreign = part.facts.foreign;
  if (!file.empty()) SPANWIRE_TRY_VOID(part.body.keep_as(file));
  return fetched;
}

Result<Fetched> JaegerClient::fetch(const std::vector<TraceQuery>& queries,
                                    const std::string& file) {
  Settling settling(options_.polls_equal, options_.settle, options_.poll_pause);
  for (;;) {
    Fetched fetched;
    fetched.depth = options_.depth;
    std::vector<AnswerPart> parts;
    for (const TraceQuery& query : queries) {
      SPANWIRE_TRY_VOID(work_->search(query, file, fetched, parts));
    }
    TraceCount traces;
    for (const AnswerPart& part : parts) traces.add(part.facts);
    fetched.traces = traces.all();
    fetched.foreign = traces.foreign();
    std::uint64_t spans = 0;
    for (const AnswerPart& part : parts) spans += part.facts.spans;
    if (settling.again(spans)) continue;
    fetched.stable = settling.stable();
    fetched.merged = parts.size() != 1;
    SPANWIRE_TRY(fetched.spans, keep_parts(parts, file));
    return fetched;
  }
}

Result<Fetched> JaegerClient::trace(std::string_view trace_id, const std::string& file) {
  const std::string url = trace_url(options_, trace_id);
  SPANWIRE_TRY(AnswerPart part, work_->ask(url, file, {}));
  if (part.status == 404 && part.facts.has_error) {
    return fail(Errc::not_found, "no trace " + std::string(trace_id));
  }
  if (part.facts.has_error) return fail(refused(url, part.status, part.facts));
  if (part.facts.is_empty) return fail(Errc::answer_not_understood, url + ": nothing in it");
  Fetched fetched;
  fetched.searches = 1;
  fetched.spans = part.facts.spans;
  fetched.traces = part.facts.traces.size();
  if (!file.empty()) SPANWIRE_TRY_VOID(part.body.keep_as(file));
  return fetched;
}

}  // namespace spanwire::inspect
