#include "lib/inspect/timeline/collector.hpp"

#include <algorithm>
#include <array>

#include "lib/base/ascii.hpp"

namespace spanwire::inspect {
namespace {

// What request ids are called: SGLang, Spanwire, GenAI conventions, vLLM.
constexpr std::array<std::string_view, 5> kRequestKeys = {"rid", "request.id", "x-request-id",
                                                          "gen_ai.request.id", "request_id"};
constexpr std::uint64_t kProgressBytes = std::uint64_t{4} << 20;

}  // namespace

Collector::Collector(const ConvertOptions& options, SliceSink sink, ConvertReport& report)
    : options_(options),
      sink_(sink),
      convert_report_(report),
      trace_prefix_(lower_case(options.trace)) {}

void Collector::on_progress(std::uint64_t bytes) {
  if (!options_.on_progress) return;
  if (bytes >= last_progress_ && bytes - last_progress_ < kProgressBytes) return;
  last_progress_ = bytes;
  options_.on_progress({true, bytes, convert_report_.spans, 0});
}

bool Collector::passes(const Span& span) const {
  if (span.end_ns < options_.from_ns || span.start_ns >= options_.to_ns) return false;
  if (!trace_prefix_.empty() && !span.trace.hex().view().starts_with(trace_prefix_)) return false;
  return options_.service.empty() || traces_.processes[span.process].service == options_.service;
}

void Collector::note_request(const Span& span) {
  if (options_.request.empty() || requests_.size() >= kRequestTracesMax) return;
  for (const Attribute& item : span.attributes) {
    const auto* text = std::get_if<std::string>(&item.value.data);
    if (text == nullptr || *text != options_.request) continue;
    if (std::find(kRequestKeys.begin(), kRequestKeys.end(), item.key) == kRequestKeys.end()) {
      continue;
    }
    requests_.insert(span.trace);
    return;
  }
}

std::uint32_t Collector::counters_of(const Span& span) const {
  std::uint32_t counters = span.kind == SpanKind::server ? 1 : 0;
  for (std::size_t i = 0; i < options_.counters.size(); ++i) {
    if (span.name == options_.counters[i]) counters |= std::uint32_t{2} << i;
  }
  return counters;
}

void Collector::on_span(Span& span) {
  ++convert_report_.spans;
  note_request(span);
  if (!passes(span)) {
    ++convert_report_.filtered;
    return;
  }
  if (span.backwards) ++convert_report_.without_end;
  if (status_) status_ = store(span);
}

Result<void> Collector::store(const Span& span) {
  const Process& process = traces_.processes[span.process];
  SliceHead head;
  head.number = sink_.slices.size() + 1;
  head.start_ns = span.start_ns;
  head.end_ns = span.end_ns;
  head.trace = span.trace;
  head.id = span.id;
  head.parent = span.parent;
  head.process = sink_.places.process_of(span.process, process);
  head.thread = sink_.places.thread_of(head.process, span.attributes);
  head.counters = counters_of(span);

  SpanNotes notes;
  notes.scope = traces_.scopes[span.scope].name;
  if (options_.track_per_request) notes.service = process.service;
  body_.clear();
  sink_.writer.span_body(span, notes, body_);
  events_.clear();
  for (const SpanEvent& event : span.events) {
    event_body_.clear();
    const bool moved = event.time_ns < span.start_ns || event.time_ns > span.end_ns;
    sink_.writer.event_body(event, moved, event_body_);
    append_event({event.time_ns, event_body_}, events_);
  }
  encode_slice(head, body_, events_, slice_);
  SPANWIRE_TRY_VOID(sink_.slices.add(Slice{head, {}, {}}.key(), slice_));
  return sink_.flows.add(head, span);
}

}  // namespace spanwire::inspect
