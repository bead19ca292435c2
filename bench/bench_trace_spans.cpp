// trace/span_sampled_1t, _2t and trace/hop against the same by hand; trace/span_unsampled,
// trace/span_off.  The workload of a recorded span: a remote parent, kind server, a name of 19
// characters, four attributes (texts of 8 and 19 characters, an integer, a real) and an event.
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "bench/floor/span_by_hand.hpp"
#include "bench/floor/w3c_by_hand.hpp"
#include "bench/measure.hpp"
#include "spanwire/trace/provider.hpp"
#include "spanwire/trace/tracer.hpp"
#include "spanwire/trace/wire_carrier.hpp"

namespace {

using namespace spanwire;

constexpr std::string_view kBlock =
    R"({"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",)"
    R"("x-endpoint-path":"llm/decode/generate","x-frontend-send-ts-ns":"1754000000000000000",)"
    R"("content-type":"application/json"})";

class CountingExporter final : public trace::Exporter {
 public:
  std::string_view name() const noexcept override { return "counting"; }
  trace::ExportResult export_batch(std::span<const trace::SpanRecordView> spans,
                                   MonotonicTime) override {
    for (const trace::SpanRecordView& span : spans) {
      bytes_ += span.queued_bytes();
      most_ = std::max(most_, span.queued_bytes());
    }
    bench::opaque(bytes_);
    return {spans.size(), {}};
  }

 private:
  std::size_t bytes_ = 0;
  std::size_t most_ = 0;
};

struct Texts {
  std::string name = "llm/decode/generate";
  std::string system = "spanwire";
  std::string method = "llm/decode/generate";
  std::int64_t port = 7001;
  double seconds = 0.00125;
};

void record_ours(const trace::Tracer& tracer, const trace::Context& parent, const Texts& texts) {
  trace::Span span = tracer.start(parent, texts.name, trace::SpanKind::server);
  span.set("rpc.system.name", texts.system);
  span.set("rpc.method", texts.method);
  span.set("server.port", texts.port);
  span.set("queue.seconds", texts.seconds);
  span.add_event("first_byte");
  span.end();
}

void record_by_hand(floor::SpanRing& ring, const floor::W3cContext& parent, const Texts& texts) {
  floor::Span span;
  floor::start_span(span, parent.trace_id.data(), parent.span_id.data(), texts.name, 2);
  floor::set(span, "rpc.system.name", texts.system);
  floor::set(span, "rpc.method", texts.method);
  floor::set(span, "server.port", texts.port);
  floor::set(span, "queue.seconds", texts.seconds);
  floor::add_event(span, "first_byte");
  floor::end_span(span, ring);
}

trace::Context parent_with(std::uint8_t flags) {
  Random random(7);
  return trace::Context(trace::SpanContext(trace::TraceId::generate(random),
                                           trace::SpanId::generate(random), flags, true));
}

struct HandParent : floor::W3cContext {
  HandParent() {
    wire::HeaderList headers;
    if (headers.parse(bytes_of(kBlock)) != Errc::ok) std::abort();
    floor::extract(headers, *this);
    if (!valid) std::abort();
  }
};

// A decode step's worth of spans, then a pause until they are out of the rings: nothing is lost on
// either side, and waiting costs no CPU time.
constexpr std::uint64_t kChunk = 8192;
template <class Work, class Drained>
void in_chunks(std::uint64_t iterations, const Work& work, const Drained& drained) {
  while (iterations > 0) {
    const std::uint64_t now = std::min(iterations, kChunk);
    for (std::uint64_t i = 0; i < now; ++i) work();
    drained();
    iterations -= now;
  }
}

void drain_ours() {
  if (trace::provider() != nullptr) trace::provider()->force_flush(std::chrono::seconds(30));
}

bench::Bench::Body spans(const trace::Tracer& tracer, const trace::Context& parent,
                         const Texts& texts) {
  return [&](std::uint64_t iterations) {
    for (; iterations > 0; --iterations) {
      bench::opaque(parent);
      record_ours(tracer, parent, texts);
    }
  };
}

bench::Bench::Body recorded_spans(const trace::Tracer& tracer, const trace::Context& parent,
                                  const Texts& texts) {
  return [&](std::uint64_t iterations) {
    in_chunks(
        iterations,
        [&] {
          bench::opaque(parent);
          record_ours(tracer, parent, texts);
        },
        drain_ours);
  };
}

bench::Bench::Body hand_spans(floor::SpanDrain& drain, const floor::W3cContext& parent,
                              const Texts& texts) {
  return [&](std::uint64_t iterations) {
    in_chunks(
        iterations,
        [&] {
          bench::opaque(parent);
          record_by_hand(drain.ring(), parent, texts);
        },
        [&] { drain.wait_until_empty(); });
  };
}

void sampled_1t(const bench::Bench& bench, const trace::Tracer& tracer, const Texts& texts) {
  const trace::Context parent = parent_with(1);
  const HandParent hand;
  floor::SpanDrain drain;
  bench.compare("trace/span_sampled_1t", recorded_spans(tracer, parent, texts),
                hand_spans(drain, hand, texts));
}

// A thread that does the same work at the same time, as often as it is asked to.
class Companion {
 public:
  explicit Companion(bench::Bench::Body body)
      : body_(std::move(body)), thread_([this] { run(); }) {}
  ~Companion() {
    begin(kStop);
    thread_.join();
  }

  void begin(std::uint64_t iterations) {
    iterations_.store(iterations);
    iterations_.notify_one();
  }
  void wait() {
    for (std::uint64_t left = iterations_.load(); left != 0; left = iterations_.load()) {
      iterations_.wait(left);
    }
  }

 private:
  static constexpr std::uint64_t kStop = ~std::uint64_t{0};

  void run() {
    for (;;) {
      iterations_.wait(0);
      const std::uint64_t iterations = iterations_.load();
      if (iterations == kStop) return;
      body_(iterations);
      iterations_.store(0);
      iterations_.notify_one();
    }
  }

  bench::Bench::Body body_;
  std::atomic<std::uint64_t> iterations_{0};
  std::thread thread_;
};

// What is measured is this thread's share.
bench::Bench::Body beside(const bench::Bench::Body& here, Companion& there) {
  return [&](std::uint64_t iterations) {
    there.begin(iterations);
    here(iterations);
    there.wait();
  };
}

void sampled_2t(const bench::Bench& bench, const trace::Tracer& tracer, const Texts& texts) {
  const trace::Context parent = parent_with(1);
  const HandParent hand;
  floor::SpanDrain drains[2];
  const bench::Bench::Body ours = recorded_spans(tracer, parent, texts);
  const bench::Bench::Body first = hand_spans(drains[0], hand, texts);
  const bench::Bench::Body second = hand_spans(drains[1], hand, texts);
  Companion ours_beside(ours);
  Companion second_beside(second);
  bench.compare("trace/span_sampled_2t", beside(ours, ours_beside), beside(first, second_beside));
}

void hop_ours(const trace::Tracer& tracer, const wire::HeaderList& headers, const Texts& texts,
              MutableByteView room) {
  const trace::Extracted extracted = trace::extract(headers);
  const trace::Context context = extracted.context();
  trace::Span server = tracer.start(context, texts.name, trace::SpanKind::server);
  const trace::Context inner = context.with_span(server.context());
  trace::Span client = tracer.start(inner, texts.name, trace::SpanKind::client);
  wire::HeaderWriter writer{room};
  trace::inject(inner.with_span(client.context()), writer);
  ByteView written = writer.finish();
  bench::opaque(written);
}

void hop_by_hand(floor::SpanRing& ring, const wire::HeaderList& headers, const Texts& texts,
                 char* room) {
  floor::W3cContext context;
  floor::extract(headers, context);
  floor::Span server;
  floor::start_span(server, context.trace_id.data(), context.span_id.data(), texts.name, 2);
  std::memcpy(context.span_id.data(), &server.span_id, 8);
  floor::Span client;
  floor::start_span(client, context.trace_id.data(), context.span_id.data(), texts.name, 3);
  std::memcpy(context.span_id.data(), &client.span_id, 8);
  std::size_t written = floor::inject(context, room);
  bench::opaque(written);
  floor::end_span(client, ring);
  floor::end_span(server, ring);
}

void hop(const bench::Bench& bench, const trace::Tracer& tracer, const Texts& texts) {
  wire::HeaderList headers;
  if (headers.parse(bytes_of(kBlock)) != Errc::ok) std::abort();
  std::byte room[512];
  char hand_room[512];
  floor::SpanDrain drain;
  bench.compare(
      "trace/hop",
      [&](std::uint64_t iterations) {
        in_chunks(
            iterations,
            [&] {
              bench::opaque(headers);
              hop_ours(tracer, headers, texts, room);
            },
            drain_ours);
      },
      [&](std::uint64_t iterations) {
        in_chunks(
            iterations,
            [&] {
              bench::opaque(headers);
              hop_by_hand(drain.ring(), headers, texts, hand_room);
            },
            [&] { drain.wait_until_empty(); });
      });
}

}  // namespace

int main(int argc, char** argv) {
  const bench::Bench bench(argc, argv);
  const Texts texts;
  const trace::Tracer tracer = trace::tracer("spanwire.bench", "1");
  const trace::Context sampled = parent_with(1);
  bench.measure("trace/span_off", spans(tracer, sampled, texts));

  trace::ProviderOptions options;
  options.exporters.push_back(std::make_unique<CountingExporter>());
  trace::Provider& provider = trace::init(std::move(options));
  const trace::Context unsampled = parent_with(0);
  bench.measure("trace/span_unsampled", spans(tracer, unsampled, texts));
  sampled_1t(bench, tracer, texts);
  sampled_2t(bench, tracer, texts);
  hop(bench, tracer, texts);

  const trace::FlushReport report = provider.shutdown(std::chrono::seconds(10));
  if (!report.complete()) std::fprintf(stderr, "%s\n", report.to_string().c_str());
}
