// trace/span_sampled_1t, _2t and trace/hop against the same by hand; trace/span_unsampled,
// trace/span_off; trace/span_watched.
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
#include "bench/in_chunks.hpp"
#include "bench/measure.hpp"
#include "bench/one_span.hpp"
#include "spanwire/trace/provider.hpp"
#include "spanwire/trace/tracer.hpp"
#include "spanwire/trace/wire_carrier.hpp"

namespace {

using namespace spanwire;

constexpr std::string_view kBlock =
    R"({"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",)"
    R"("x-endpoint-path":"llm/decode/generate","x-frontend-send-ts-ns":"1754000000000000000",)"
    R"("content-type":"application/json"})";

struct HandParent : floor::W3cContext {
  HandParent() {
    wire::HeaderList headers;
    if (headers.parse(bytes_of(kBlock)) != Errc::ok) std::abort();
    floor::extract(headers, *this);
    if (!valid) std::abort();
  }
};

// A decode step's worth.
constexpr std::uint64_t kChunk = 8192;

void drain_ours() {
  if (trace::provider() != nullptr) trace::provider()->force_flush(std::chrono::seconds(30));
}

bench::Bench::Body spans(const trace::Tracer& tracer, const trace::Context& parent,
                         const bench::Texts& texts) {
  return [&](std::uint64_t iterations) {
    for (; iterations > 0; --iterations) {
      bench::opaque(parent);
      bench::record_ours(tracer, parent, texts);
    }
  };
}

bench::Bench::Body recorded_spans(const trace::Tracer& tracer, const trace::Context& parent,
                                  const bench::Texts& texts) {
  return [&](std::uint64_t iterations) {
    bench::in_chunks(
        kChunk, iterations,
        [&] {
          bench::opaque(parent);
          bench::record_ours(tracer, parent, texts);
        },
        drain_ours);
  };
}

bench::Bench::Body hand_spans(floor::SpanDrain& drain, const floor::W3cContext& parent,
                              const bench::Texts& texts) {
  return [&](std::uint64_t iterations) {
    bench::in_chunks(
        kChunk, iterations,
        [&] {
          bench::opaque(parent);
          bench::record_by_hand(drain.ring(), parent.trace_id.data(), parent.span_id.data(), texts);
        },
        [&] { drain.wait_until_empty(); });
  };
}

void sampled_1t(const bench::Bench& bench, const trace::Tracer& tracer, const bench::Texts& texts) {
  const trace::Context parent = bench::parent_with(1);
  const HandParent hand;
  floor::SpanDrain drain;
  bench.compare("trace/span_sampled_1t", recorded_spans(tracer, parent, texts),
                hand_spans(drain, hand, texts));
}

// An unsampled span that is watched until its end, against a recorded one by hand: what tail keep
// costs a span that ends well.
void watched(const bench::Bench& bench, const trace::Tracer& tracer, const bench::Texts& texts) {
  trace::ProviderOptions options;
  options.exporters.push_back(std::make_unique<bench::TakingExporter>());
  options.keep_errors = true;
  trace::init(std::move(options));
  const trace::Context parent = bench::parent_with(0);
  const HandParent hand;
  floor::SpanDrain drain;
  bench.compare("trace/span_watched", spans(tracer, parent, texts), hand_spans(drain, hand, texts));
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

void sampled_2t(const bench::Bench& bench, const trace::Tracer& tracer, const bench::Texts& texts) {
  const trace::Context parent = bench::parent_with(1);
  const HandParent hand;
  floor::SpanDrain drains[2];
  const bench::Bench::Body ours = recorded_spans(tracer, parent, texts);
  const bench::Bench::Body first = hand_spans(drains[0], hand, texts);
  const bench::Bench::Body second = hand_spans(drains[1], hand, texts);
  Companion ours_beside(ours);
  Companion second_beside(second);
  bench.compare("trace/span_sampled_2t", beside(ours, ours_beside), beside(first, second_beside));
}

void hop_ours(const trace::Tracer& tracer, const wire::HeaderList& headers,
              const bench::Texts& texts, MutableByteView room) {
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

void hop_by_hand(floor::SpanRing& ring, const wire::HeaderList& headers, const bench::Texts& texts,
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

void hop(const bench::Bench& bench, const trace::Tracer& tracer, const bench::Texts& texts) {
  wire::HeaderList headers;
  if (headers.parse(bytes_of(kBlock)) != Errc::ok) std::abort();
  std::byte room[512];
  char hand_room[512];
  floor::SpanDrain drain;
  bench.compare(
      "trace/hop",
      [&](std::uint64_t iterations) {
        bench::in_chunks(
            kChunk, iterations,
            [&] {
              bench::opaque(headers);
              hop_ours(tracer, headers, texts, room);
            },
            drain_ours);
      },
      [&](std::uint64_t iterations) {
        bench::in_chunks(
            kChunk, iterations,
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
  const bench::Texts texts;
  const trace::Tracer tracer = trace::tracer("spanwire.bench", "1");
  const trace::Context sampled = bench::parent_with(1);
  bench.measure("trace/span_off", spans(tracer, sampled, texts));

  trace::ProviderOptions options;
  options.exporters.push_back(std::make_unique<bench::TakingExporter>());
  trace::Provider& provider = trace::init(std::move(options));
  const trace::Context unsampled = bench::parent_with(0);
  bench.measure("trace/span_unsampled", spans(tracer, unsampled, texts));
  sampled_1t(bench, tracer, texts);
  sampled_2t(bench, tracer, texts);
  hop(bench, tracer, texts);

  const trace::FlushReport report = provider.shutdown(std::chrono::seconds(10));
  if (!report.complete()) std::fprintf(stderr, "%s\n", report.to_string().c_str());
  watched(bench, tracer, texts);
}
