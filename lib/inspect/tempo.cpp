#include "spanwire/inspect/tempo.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "lib/inspect/http_get.hpp"
#include "lib/inspect/otlp_copy.hpp"
#include "lib/inspect/query_url.hpp"
#include "lib/inspect/search_windows.hpp"
#include "lib/inspect/settling.hpp"

namespace spanwire::inspect {
namespace {

using Json = nlohmann::json;

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr long kNotFound = 404;

// Errors of Tempo are plain text.
Error refused(const std::string& url, long status, const std::string& body) {
  return {Errc::query_failed,
          url + ": HTTP " + std::to_string(status) + ": " + body.substr(0, 200)};
}

class Tempo {
 public:
  explicit Tempo(const TempoOptions& options) : options_(options), http_(options.headers) {}

  // All traces of the searches, into `whole`.
  Result<void> fetch(const std::vector<TraceQuery>& queries, const std::string& file,
                     WholeFile& whole, Fetched& fetched) {
    seen_.clear();
    std::vector<std::string> ids;
    for (const TraceQuery& query : queries) SPANWIRE_TRY_VOID(search(query, ids, fetched));
    OtlpCopy copy(whole);
    for (const std::string& id : ids) {
      const Result<void> got = trace(id, file, copy);
      // Between the search and now it may have been dropped.
      if (!got && got.error().code() != Errc::not_found) return fail(got.error());
    }
    fetched.spans = copy.spans();
    fetched.traces = copy.traces().size();
    return {};
  }

  // The ids of a search; more than one search where the first is full.
  Result<void> search(const TraceQuery& query, std::vector<std::string>& ids, Fetched& fetched) {
    // A query's times are whole seconds.
    SearchWindows windows(query, 2 * kSecond, 0, fetched);
    while (const std::optional<TraceQuery> window = windows.next()) {
      ++fetched.searches;
      SPANWIRE_TRY(const std::vector<std::string> found, search_once(*window));
      if (found.size() >= options_.depth && windows.halve(*window)) continue;
      for (const std::string& id : found) {
        if (seen_.insert(id).second) ids.push_back(id);
      }
    }
    return {};
  }

  // Into `copy`.  Fails with not_found.
  Result<void> trace(std::string_view id, const std::string& beside, OtlpCopy& copy) {
    const std::string url = tempo_trace_url(options_, id);
    SPANWIRE_TRY(WholeFile body, WholeFile::create(beside + ".answer"));
    std::size_t bytes = 0;
    std::string head;
    const auto sink = [&](std::string_view piece) -> Result<void> {
      bytes += piece.size();
      if (bytes > options_.answer_bytes_max) {
        return fail(Errc::answer_not_understood,
                    url + ": longer than " + std::to_string(options_.answer_bytes_max) + " bytes");
      }
      if (head.size() < 256) head.append(piece.substr(0, 256));
      return body.write(piece);
    };
    SPANWIRE_TRY(const long status, http_.get(url, options_.timeout, sink));
    if (status == kNotFound) return fail(Errc::not_found, "no trace " + std::string(id));
    if (status != 200) return fail(refused(url, status, head));
    SPANWIRE_TRY_VOID(body.flush());
    const std::size_t problems = copy.report().problem_count;
    SPANWIRE_TRY_VOID(copy.read_file(body.temporary_path()));
    if (!copy.written()) return fail(copy.written().error());
    if (copy.report().problem_count == problems) return {};
    return fail(Errc::answer_not_understood, url + ": " + copy.report().problems.back().text);
  }

 private:
  Result<std::vector<std::string>> search_once(const TraceQuery& window) {
    const std::string url = tempo_search_url(options_, window);
    std::string body;
    const auto sink = [&](std::string_view piece) -> Result<void> {
      if (body.size() + piece.size() > kPageBytesMax) {
        return fail(Errc::answer_not_understood, url + ": too long for a search");
      }
      body.append(piece);
      return {};
    };
    SPANWIRE_TRY(const long status, http_.get(url, options_.timeout, sink));
    if (status != 200) return fail(refused(url, status, body));
    const Json answer = Json::parse(body, nullptr, false);
    const auto traces = answer.is_object() ? answer.find("traces") : answer.end();
    // Without a match some versions leave the list out.
    if (answer.is_object() && traces == answer.end()) return std::vector<std::string>();
    if (!answer.is_object() || !traces->is_array()) {
      return fail(Errc::answer_not_understood, url + ": no list of traces");
    }
    std::vector<std::string> ids;
    for (const Json& item : *traces) {
      const auto id = item.is_object() ? item.find("traceID") : item.end();
      if (!item.is_object() || id == item.end() || !id->is_string()) {
        return fail(Errc::answer_not_understood, url + ": a trace without traceID");
      }
      ids.push_back(id->get<std::string>());
    }
    return ids;
  }

  const TempoOptions& options_;
  HttpGetter http_;
  std::unordered_set<std::string> seen_;
};

}  // namespace

std::string tempo_search_url(const TempoOptions& options, const TraceQuery& query) {
  std::string url = options.url + "/api/search?";
  if (!query.service.empty()) {
    url += "tags=" + percent_encoded("service.name=\"" + query.service + '"') + '&';
  }
  return url + "start=" + std::to_string(query.start_ns / kSecond) +
         "&end=" + std::to_string(query.end_ns / kSecond + 1) +
         "&limit=" + std::to_string(options.depth);
}

std::string tempo_trace_url(const TempoOptions& options, std::string_view trace_id) {
  return options.url + "/api/traces/" + percent_encoded(trace_id);
}

Result<Fetched> fetch_tempo(const TempoOptions& options, const std::vector<TraceQuery>& queries,
                            const std::string& file) {
  Tempo tempo(options);
  Settling settling(options.polls_equal, options.settle, options.poll_pause);
  for (;;) {
    Fetched fetched;
    fetched.depth = options.depth;
    fetched.merged = true;
    SPANWIRE_TRY(WholeFile whole, WholeFile::create(file));
    SPANWIRE_TRY_VOID(tempo.fetch(queries, file, whole, fetched));
    if (settling.again(fetched.spans)) continue;
    fetched.stable = settling.stable();
    SPANWIRE_TRY_VOID(whole.keep());
    return fetched;
  }
}

Result<Fetched> fetch_tempo_trace(const TempoOptions& options, std::string_view trace_id,
                                  const std::string& file) {
  Tempo tempo(options);
  SPANWIRE_TRY(WholeFile whole, WholeFile::create(file));
  OtlpCopy copy(whole);
  SPANWIRE_TRY_VOID(tempo.trace(trace_id, file, copy));
  SPANWIRE_TRY_VOID(whole.keep());
  Fetched fetched;
  fetched.searches = 1;
  fetched.spans = copy.spans();
  fetched.traces = copy.traces().size();
  return fetched;
}

}  // namespace spanwire::inspect
