// Any text as OTLP JSON lines, and as a profile to be merged: what is read is sound, what is not
// JSON gives nothing, and reading it twice gives no more spans.  As a request it is protobuf, or
// has one fault.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string_view>

#include "lib/inspect/timeline/profile_reader.hpp"
#include "spanwire/inspect/reader.hpp"
#include "spanwire/otlp/receiving.hpp"

using namespace spanwire;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

void check_span(const inspect::TraceSet& traces, const inspect::Span& span) {
  require(!span.trace.is_zero() && !span.id.is_zero());
  require(span.start_ns >= 0 && span.end_ns >= span.start_ns);
  require(span.process < traces.processes.size() && span.scope < traces.scopes.size());
  for (const inspect::Attribute& attribute : span.attributes) attribute.value.text();
}

// Read in pieces, a line gives the spans that it gives as a whole.
void check_split(std::string_view text, std::size_t spans) {
  inspect::ReadLimits limits;
  limits.line_bytes = 1;
  inspect::Reader split(limits);
  split.read_text("fuzz", text);
  for (const inspect::Span& span : split.traces().spans) check_span(split.traces(), span);
  if (text.find('\n') == std::string_view::npos && nlohmann::json::accept(text)) {
    require(split.traces().spans.size() >= spans);
  }
}

// In pieces of every size, and whole: the same events.
void check_profile(std::string_view text) {
  std::size_t whole = 0;
  std::size_t in_pieces = 0;
  inspect::ProfileScanner first([&](std::string_view event) { whole += event.size(); }, {});
  inspect::ProfileScanner second([&](std::string_view event) { in_pieces += event.size(); }, {});
  const bool good = first.feed(text);
  bool good_in_pieces = true;
  for (std::size_t at = 0, size = 1; at < text.size() && good_in_pieces; at += size++) {
    good_in_pieces = second.feed(text.substr(at, size));
  }
  require(good == good_in_pieces && whole == in_pieces);
  require(first.finish() == second.finish());
}

void check_request(std::string_view text) {
  Buffer request;
  const Result<std::size_t> spans = otlp::json_to_protobuf(text, request);
  if (!spans) {
    require(spans.error().code() == Errc::otlp_malformed && !spans.error().detail().empty());
    return require(request.size() == 0);
  }
  Buffer json;
  require(otlp::protobuf_to_json(request.view(), json) == *spans);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  inspect::Reader reader;
  reader.read_text("fuzz", text);
  const inspect::TraceSet& traces = reader.traces();
  for (const inspect::Span& span : traces.spans) check_span(traces, span);
  require(reader.report().problems.size() <= reader.report().problem_count);
  if (text.find('\n') == std::string_view::npos && !nlohmann::json::accept(text)) {
    require(traces.spans.empty());
  }
  const std::size_t spans = traces.spans.size();
  const std::size_t duplicates = reader.report().duplicates;
  reader.read_text("fuzz", text);
  require(traces.spans.size() == spans);
  require(reader.report().duplicates == spans + 2 * duplicates);
  check_split(text, spans);
  check_profile(text);
  check_request(text);
  return 0;
}
