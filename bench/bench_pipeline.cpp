// otlp/pipeline: spans recorded, encoded as protobuf and posted over HTTP to a process that counts
// them, against the same by hand.  otlp/pipeline_loss, otlp/pipeline_cpu: the same at 100,000 spans
// a second; what was dropped (the rest did arrive), and the CPU time of all threads a span.
// otlp/pipeline_pacing: the part of that which the thousand sleeps a second take that pace it.
#include <time.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bench/floor/pipeline_by_hand.hpp"
#include "bench/measure.hpp"
#include "bench/one_span.hpp"
#include "bench/support/otlp_sink.hpp"
#include "spanwire/otlp/otlp_exporter.hpp"
#include "spanwire/trace/provider.hpp"

namespace {

using namespace spanwire;

// As ours has it by default.
constexpr std::size_t kBatchSpans = 512;
// On their way at a time, so that nobody's ring is full: the recording thread waits, as often as it
// must, where a real one would lose spans.
constexpr std::uint64_t kWindow = 24'576;
constexpr std::uint64_t kSpansASecond = 100'000;
constexpr std::uint64_t kSpansATick = 100;

void sleep_until(timespec time) { clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, nullptr); }

timespec now_plus(std::int64_t ns) {
  const std::int64_t at = floor::now_ns() + ns;
  return {at / 1'000'000'000, at % 1'000'000'000};
}

// A way from a recording thread to a sink of its own.
struct Pipeline {
  const bench::OtlpSink* sink;
  std::function<void()> record;
  std::function<void()> flush;  // what was recorded is to leave now
  std::function<std::uint64_t()> dropped;
  std::uint64_t recorded = 0;  // without what was dropped

  void wait_until_left(std::uint64_t at_most) const {
    static constexpr std::int64_t kLookNs = 50'000;
    static constexpr double kPatienceSeconds = 30;
    const double begin = bench::wall_seconds();
    while (recorded - sink->spans() > at_most) {
      sleep_until(now_plus(kLookNs));
      if (bench::wall_seconds() - begin > kPatienceSeconds) give_up();
    }
  }
  [[noreturn]] void give_up() const {
    std::fprintf(stderr, "bench_pipeline: %llu spans were recorded, %llu arrived; ours: %s\n",
                 static_cast<unsigned long long>(recorded),
                 static_cast<unsigned long long>(sink->spans()),
                 trace::provider()->force_flush(std::chrono::seconds(1)).to_string().c_str());
    std::exit(1);
  }
};

// Spans a second, as fast as it goes.
double run_fast(Pipeline& pipeline, std::uint64_t spans) {
  static constexpr std::uint64_t kStretch = 1024;
  const double begin = bench::wall_seconds();
  for (std::uint64_t done = 0; done < spans; done += kStretch) {
    for (std::uint64_t i = 0; i < kStretch; ++i) pipeline.record();
    pipeline.recorded += kStretch;
    pipeline.wait_until_left(kWindow);
  }
  pipeline.flush();
  pipeline.wait_until_left(0);
  return static_cast<double>(spans) / (bench::wall_seconds() - begin);
}

constexpr std::int64_t kTickNs = 1'000'000'000 / (kSpansASecond / kSpansATick);

std::uint64_t ticks_of(double seconds) {
  return static_cast<std::uint64_t>(seconds * 1e9) / kTickNs;
}

template <typename Tick>
void run_ticks(std::uint64_t ticks, const Tick& tick) {
  const std::int64_t begin_ns = floor::now_ns();
  for (std::uint64_t done = 0; done < ticks; ++done) {
    tick();
    const std::int64_t next = begin_ns + static_cast<std::int64_t>(done + 1) * kTickNs;
    sleep_until({next / 1'000'000'000, next % 1'000'000'000});
  }
}

// CPU time of the ticks alone, in microseconds a span that they would have recorded.
double run_idle(double seconds) {
  const double begin = bench::process_cpu_seconds();
  run_ticks(ticks_of(seconds), [] {});
  const double cpu = bench::process_cpu_seconds() - begin;
  return cpu * 1e6 / static_cast<double>(ticks_of(seconds) * kSpansATick);
}

struct Paced {
  double cpu_us = 0;  // a span, of all threads
  std::uint64_t lost = 0;
};

Paced run_paced(Pipeline& pipeline, double seconds) {
  const std::uint64_t dropped = pipeline.dropped();
  const double begin = bench::process_cpu_seconds();
  run_ticks(ticks_of(seconds), [&] {
    for (std::uint64_t i = 0; i < kSpansATick; ++i) pipeline.record();
  });
  pipeline.flush();
  const double cpu = bench::process_cpu_seconds() - begin;
  const std::uint64_t spans = ticks_of(seconds) * kSpansATick;
  const std::uint64_t lost = pipeline.dropped() - dropped;
  pipeline.recorded += spans - lost;
  pipeline.wait_until_left(0);
  return {cpu * 1e6 / static_cast<double>(spans), lost};
}

void fast(const bench::Bench& bench, Pipeline& ours, Pipeline& hand) {
  if (!bench.wants("otlp/pipeline")) return;
  const std::uint64_t spans = bench.quick() ? 1u << 14 : 1u << 19;
  std::vector<double> rates;
  std::vector<double> references;
  std::vector<double> ratios;
  for (int round = 0; round < bench.rounds(); ++round) {
    rates.push_back(run_fast(ours, spans));
    references.push_back(run_fast(hand, spans));
    ratios.push_back(rates.back() / references.back());
  }
  bench.print({.name = "otlp/pipeline",
               .unit = "spans/s",
               .value = bench::median(rates),
               .reference = bench::median(references),
               .ratio = bench::median(ratios)});
}

void paced(const bench::Bench& bench, Pipeline& ours, Pipeline& hand) {
  if (!bench.wants("otlp/pipeline_loss") && !bench.wants("otlp/pipeline_cpu") &&
      !bench.wants("otlp/pipeline_pacing")) {
    return;
  }
  const double seconds = bench.quick() ? 0.1 : 1;
  std::vector<double> cpu;
  std::vector<double> reference;
  std::vector<double> pacing;
  std::uint64_t lost = 0;
  for (int round = 0; round < bench.rounds(); ++round) {
    pacing.push_back(run_idle(seconds));
    const Paced mine = run_paced(ours, seconds);
    cpu.push_back(mine.cpu_us);
    lost += mine.lost;
    reference.push_back(run_paced(hand, seconds).cpu_us);
  }
  bench.print({.name = "otlp/pipeline_loss", .unit = "spans", .value = static_cast<double>(lost)});
  bench.print({.name = "otlp/pipeline_cpu",
               .unit = "us",
               .value = bench::median(cpu),
               .reference = bench::median(reference)});
  bench.print({.name = "otlp/pipeline_pacing", .unit = "us", .value = bench::median(pacing)});
}

// A field of bytes that is shorter than 128.
std::string short_field(unsigned number, const std::string& bytes) {
  return std::string{static_cast<char>(number << 3 | 2), static_cast<char>(bytes.size())} + bytes;
}

std::string hand_resource() {
  const std::string value = short_field(1, "bench_pipeline");
  const std::string attribute = short_field(1, "service.name") + short_field(2, value);
  return short_field(1, short_field(1, attribute));
}

void flush_ours() {
  const trace::FlushReport report = trace::provider()->force_flush(std::chrono::seconds(30));
  if (report.in_time) return;
  std::fprintf(stderr, "bench_pipeline: %s\n", report.to_string().c_str());
  std::abort();
}

}  // namespace

int main(int argc, char** argv) {
  const bench::Bench bench(argc, argv);
  const bench::OtlpSink our_sink(bench::SinkKind::answering);
  const bench::OtlpSink hand_sink(bench::SinkKind::answering);

  otlp::OtlpOptions exporter;
  exporter.endpoint = our_sink.url();
  trace::ProviderOptions options;
  options.exporters.push_back(std::make_unique<otlp::OtlpExporter>(std::move(exporter)));
  options.batch_spans_max = kBatchSpans;
  trace::Provider& provider = trace::init(std::move(options));
  const trace::Tracer tracer = trace::tracer("spanwire.bench", "1");
  const trace::Context parent = bench::parent_with(1);
  const bench::Texts texts;
  Pipeline ours{&our_sink, [&] { bench::record_ours(tracer, parent, texts); }, flush_ours,
                [&] { return provider.stats().lost.total(); }};

  floor::PipelineByHand by_hand(hand_sink.port(), hand_resource(),
                                short_field(1, short_field(1, "spanwire.bench")), kBatchSpans);
  const auto trace_id = parent.span().trace_id().bytes();
  const auto parent_id = parent.span().span_id().bytes();
  Pipeline hand{&hand_sink,
                [&] {
                  bench::record_by_hand(
                      by_hand.ring(), reinterpret_cast<const unsigned char*>(trace_id.data()),
                      reinterpret_cast<const unsigned char*>(parent_id.data()), texts);
                },
                [&] { by_hand.ring().wake(); }, [&] { return by_hand.ring().dropped; }};
  fast(bench, ours, hand);
  paced(bench, ours, hand);
  const trace::FlushReport report = provider.shutdown(std::chrono::seconds(10));
  if (!report.complete()) std::fprintf(stderr, "%s\n", report.to_string().c_str());
}
