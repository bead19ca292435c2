// otlp/encode_json: a batch of 512 spans, straight from the queue's records, against the same by
// hand.  Both write the same text, byte for byte.
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/floor/otlp_json_by_hand.hpp"
#include "bench/measure.hpp"
#include "spanwire/otlp/encode_json.hpp"
#include "spanwire/trace/provider.hpp"
#include "spanwire/trace/tracer.hpp"

namespace {

using namespace spanwire;

constexpr std::size_t kSpans = 512;

void require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "bench_otlp: %s\n", what);
  std::abort();
}

void record_batch(const trace::Tracer& tracer) {
  Random random(7);
  const trace::Context parent(trace::SpanContext(trace::TraceId::generate(random),
                                                 trace::SpanId::generate(random), 1, true));
  const std::string name = "llm/decode/generate";
  for (std::size_t i = 0; i < kSpans; ++i) {
    trace::Span span = tracer.start(parent, name, trace::SpanKind::server);
    span.set("rpc.system.name", std::string("spanwire")).set("rpc.method", name);
    span.set("server.port", 7001).set("queue.seconds", 0.00125);
    span.add_event("first_byte");
  }
}

std::int64_t ns_of(WallTime time) { return time.time_since_epoch().count(); }

// The same span in the floor's form.
floor::Span by_hand(const trace::SpanRecordView& view) {
  floor::Span span{};
  std::memcpy(span.trace_id.data(), view.trace_id().bytes().data(), 16);
  std::memcpy(&span.span_id, view.span_id().bytes().data(), 8);
  std::memcpy(&span.parent_id, view.parent_span_id().bytes().data(), 8);
  span.name_bytes = floor::copy_text(span.name, view.name());
  span.kind = static_cast<std::uint8_t>(view.kind());
  span.flags = view.flags();
  span.start_ns = ns_of(view.start());
  span.end_ns = ns_of(view.end());
  for (const trace::AttributeView attribute : view.attributes()) {
    if (attribute.type() == trace::ValueType::string) {
      floor::set(span, attribute.key().data(), attribute.text());
    } else if (attribute.type() == trace::ValueType::int64) {
      floor::set(span, attribute.key().data(), attribute.int64());
    } else {
      floor::set(span, attribute.key().data(), attribute.real());
    }
  }
  for (const trace::EventView event : view.events()) {
    span.events[span.event_count++] = {event.name().data(), ns_of(event.time())};
  }
  return span;
}

// Measures where the records are: on the export thread, inside of one batch.
class MeasuringExporter final : public trace::Exporter {
 public:
  explicit MeasuringExporter(const bench::Bench& bench) : bench_(bench) {}
  std::string_view name() const noexcept override { return "measuring"; }
  void start(const trace::Resource& resource) override { encoder_.emplace(resource); }
  trace::ExportResult export_batch(std::span<const trace::SpanRecordView> spans,
                                   MonotonicTime) override {
    require(spans.size() == kSpans, "not one batch");
    std::vector<floor::Span> hand;
    for (const trace::SpanRecordView& span : spans) hand.push_back(by_hand(span));
    Buffer ours;
    encoder_->encode(spans, ours);
    const std::string_view text = text_of(ours.view());
    const std::size_t first = text.find("{\"traceId\"");
    const std::string head(text.substr(0, first));
    floor::JsonText theirs(1u << 20);
    floor::write_batch(theirs, hand, head, "]}]}]}");
    require(theirs.view() == text, "texts differ");
    measure(spans, hand, head);
    return {spans.size(), {}};
  }

 private:
  // Per span: an iteration is one of them, a batch as many as it holds.
  void measure(std::span<const trace::SpanRecordView> spans, const std::vector<floor::Span>& hand,
               const std::string& head) {
    Buffer ours(1u << 20);
    floor::JsonText theirs(1u << 20);
    bench_.compare(
        "otlp/encode_json",
        [&](std::uint64_t iterations) {
          for (std::uint64_t done = 0; done < iterations; done += kSpans) {
            ours.clear();
            encoder_->encode(spans.first(std::min<std::uint64_t>(kSpans, iterations - done)), ours);
            bench::opaque(ours);
          }
        },
        [&](std::uint64_t iterations) {
          for (std::uint64_t done = 0; done < iterations; done += kSpans) {
            theirs.clear();
            const auto count = std::min<std::uint64_t>(kSpans, iterations - done);
            floor::write_batch(theirs, std::span(hand).first(count), head, "]}]}]}");
            bench::opaque(theirs);
          }
        });
  }

  const bench::Bench& bench_;
  std::optional<otlp::JsonEncoder> encoder_;
};

}  // namespace

int main(int argc, char** argv) {
  const bench::Bench bench(argc, argv);
  if (!bench.wants("otlp/encode_json")) return 0;
  trace::ProviderOptions options;
  options.exporters.push_back(std::make_unique<MeasuringExporter>(bench));
  options.schedule_delay = std::chrono::hours(1);
  trace::Provider& provider = trace::init(std::move(options));
  record_batch(trace::tracer("spanwire.bench", "1"));
  const trace::FlushReport report = provider.shutdown(std::chrono::minutes(10));
  require(report.complete(), report.to_string().c_str());
}
