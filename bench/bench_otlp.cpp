// otlp/encode_json, otlp/encode_protobuf: a batch of 512 spans, straight from the queue's records,
// against the same by hand.  Both write the same, byte for byte.
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/floor/otlp_json_by_hand.hpp"
#include "bench/floor/otlp_protobuf_by_hand.hpp"
#include "bench/measure.hpp"
#include "spanwire/otlp/encode_json.hpp"
#include "spanwire/otlp/encode_protobuf.hpp"
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
  void start(const trace::Resource& resource) override {
    json_.emplace(resource);
    protobuf_.emplace(resource);
  }
  trace::ExportResult export_batch(std::span<const trace::SpanRecordView> spans,
                                   MonotonicTime) override {
    if (spans.size() == 1) return {1, {}};  // which started the thread
    require(spans.size() == kSpans, "not one batch");
    std::vector<floor::Span> hand;
    for (const trace::SpanRecordView& span : spans) hand.push_back(by_hand(span));
    if (bench_.wants("otlp/encode_json")) measure_json(spans, hand);
    if (bench_.wants("otlp/encode_protobuf")) measure_protobuf(spans, hand);
    return {spans.size(), {}};
  }

 private:
  void measure_json(std::span<const trace::SpanRecordView> spans,
                    const std::vector<floor::Span>& hand) {
    Buffer ours;
    json_->encode(spans, ours);
    const std::string_view text = text_of(ours.view());
    const std::string head(text.substr(0, text.find("{\"traceId\"")));
    floor::JsonText theirs(1u << 20);
    floor::write_batch(theirs, hand, head, "]}]}]}");
    require(theirs.view() == text, "texts differ");
    compare("otlp/encode_json", spans, *json_, theirs, [&](std::size_t count) {
      floor::write_batch(theirs, std::span(hand).first(count), head, "]}]}]}");
    });
  }

  void measure_protobuf(std::span<const trace::SpanRecordView> spans,
                        const std::vector<floor::Span>& hand) {
    Buffer ours;
    protobuf_->encode(spans, ours);
    const std::string_view bytes = text_of(ours.view());
    // Behind the lengths of the request and of the scope's spans stand resource and scope, ready.
    const std::string resource(field_at(bytes, 1 + floor::kBatchLengthBytes));
    const std::string scope(field_at(bytes, 2 + 2 * floor::kBatchLengthBytes + resource.size()));
    floor::ProtobufBytes theirs(1u << 20);
    floor::write_batch(theirs, hand, resource, scope);
    require(theirs.view() == bytes, "bytes differ");
    compare("otlp/encode_protobuf", spans, *protobuf_, theirs, [&](std::size_t count) {
      floor::write_batch(theirs, std::span(hand).first(count), resource, scope);
    });
  }

  // A whole field of bytes, with its tag.
  static std::string_view field_at(std::string_view bytes, std::size_t at) {
    std::size_t size = 0;
    std::size_t end = at + 1;
    for (unsigned shift = 0;; shift += 7) {
      const auto byte = static_cast<unsigned char>(bytes[end++]);
      size |= std::size_t{byte & 0x7Fu} << shift;
      if (byte < 0x80) break;
    }
    return bytes.substr(at, end - at + size);
  }

  // Per span: an iteration is one of them, a batch as many as it holds.
  template <class Encoder, class Theirs, class ByHand>
  void compare(const char* name, std::span<const trace::SpanRecordView> spans, Encoder& encoder,
               Theirs& theirs, const ByHand& write_by_hand) {
    Buffer ours(1u << 20);
    const auto batches = [](std::uint64_t iterations, const auto& batch) {
      for (std::uint64_t done = 0; done < iterations; done += kSpans) {
        batch(static_cast<std::size_t>(std::min<std::uint64_t>(kSpans, iterations - done)));
      }
    };
    bench_.compare(
        name,
        [&](std::uint64_t iterations) {
          batches(iterations, [&](std::size_t count) {
            ours.clear();
            encoder.encode(spans.first(count), ours);
            bench::opaque(ours);
          });
        },
        [&](std::uint64_t iterations) {
          batches(iterations, [&](std::size_t count) {
            theirs.clear();
            write_by_hand(count);
            bench::opaque(theirs);
          });
        });
  }

  const bench::Bench& bench_;
  std::optional<otlp::JsonEncoder> json_;
  std::optional<otlp::ProtobufEncoder> protobuf_;
};

}  // namespace

int main(int argc, char** argv) {
  const bench::Bench bench(argc, argv);
  if (!bench.wants("otlp/encode_json") && !bench.wants("otlp/encode_protobuf")) return 0;
  trace::ProviderOptions options;
  options.exporters.push_back(std::make_unique<MeasuringExporter>(bench));
  options.schedule_delay = std::chrono::hours(1);
  trace::Provider& provider = trace::init(std::move(options));
  const trace::Tracer tracer = trace::tracer("spanwire.bench", "1");
  tracer.start(trace::Context(), "first").end();
  require(provider.force_flush(std::chrono::seconds(10)).complete(), "the first span is not out");
  record_batch(tracer);
  const trace::FlushReport report = provider.shutdown(std::chrono::minutes(10));
  require(report.complete(), report.to_string().c_str());
}
