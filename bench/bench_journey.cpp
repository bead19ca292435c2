// journey/off, unsampled_request, slice, slice_p999, batch_1024x8, propagate, sustained: following
// requests through a scheduler, against the same records by hand.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "bench/floor/propagate_by_hand.hpp"
#include "bench/floor/slice_by_hand.hpp"
#include "bench/in_chunks.hpp"
#include "bench/measure.hpp"
#include "spanwire/base/random.hpp"
#include "spanwire/journey/batch.hpp"
#include "spanwire/journey/by_id.hpp"
#include "spanwire/journey/propagate.hpp"
#include "spanwire/journey/request.hpp"
#include "spanwire/journey/thread_info.hpp"
#include "spanwire/otlp/file_exporter.hpp"
#include "spanwire/trace/provider.hpp"

namespace {

using namespace spanwire;

constexpr std::size_t kBatch = 1024;
constexpr std::array<const char*, 8> kNames = {"schedule",      "prepare", "forward",    "sample",
                                               "process_batch", "stream",  "detokenize", "send"};

void require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "bench_journey: %s\n", what);
  std::abort();
}

std::vector<journey::Request> start_batch() {
  std::vector<journey::Request> requests;
  for (std::size_t i = 0; i < kBatch; ++i) {
    requests.push_back(journey::start_request({.rid = std::to_string(i)}));
    require(requests.back().recording(), "a request is not recorded");
  }
  return requests;
}

void finish(std::vector<journey::Request>& requests) {
  for (journey::Request& request : requests) request.finish();
}

void drain() { trace::provider()->force_flush(std::chrono::seconds(30)); }

MonotonicTime at(std::int64_t ns) { return MonotonicTime(std::chrono::nanoseconds(ns)); }

// ---- What is not recorded

void off(const bench::Bench& bench) {
  bench.measure("journey/off", [](std::uint64_t iterations) {
    journey::Request request;
    for (; iterations > 0; --iterations) {
      bench::opaque(request);
      journey::by_id::slice_start("prefill_forward", "0123456789abcdef");
      request.slice_start("prefill_forward");
    }
  });
}

void unsampled(const bench::Bench& bench) {
  Random random(7);
  const trace::Context parent(trace::SpanContext(trace::TraceId::generate(random),
                                                 trace::SpanId::generate(random), 0, true));
  const journey::RequestOptions options{
      .rid = "0123456789abcdef0123456789abcdef", .role = "decode", .parent = &parent};
  bench.measure("journey/unsampled_request", [&](std::uint64_t iterations) {
    for (; iterations > 0; --iterations) {
      journey::Request request = journey::start_request(options);
      bench::opaque(request);
      for (const char* name : kNames) {
        request.slice({.name = std::string_view(name), .start = at(1), .end = at(2)});
      }
      request.finish();
    }
  });
}

// ---- One slice

struct Work {
  std::int64_t step = 4711;
  double share = 0.25;
  std::string phase = "decode";
};

void record_ours(journey::Request& request, const Work& work) {
  const trace::Attribute attributes[] = {
      {"decode_ct", work.step}, {"batch.share", work.share}, {"phase", work.phase}};
  request.slice(
      {.name = "decode_loop", .start = at(1000), .end = at(2000), .attributes = attributes});
}

// A decode step's worth.
constexpr std::uint64_t kChunk = 8192;

void slice(const bench::Bench& bench) {
  journey::Request request = journey::start_request({.rid = "r"});
  floor::SlicedRequest hand;
  floor::SliceDrain hand_drain;
  const Work work;
  bench.compare(
      "journey/slice",
      [&](std::uint64_t iterations) {
        bench::in_chunks(
            kChunk, iterations,
            [&] {
              bench::opaque(work);
              record_ours(request, work);
            },
            drain);
      },
      [&](std::uint64_t iterations) {
        bench::in_chunks(
            kChunk, iterations,
            [&] {
              bench::opaque(work);
              const floor::SliceTimes times{"decode_loop", 1000, 2000};
              floor::record_slice(hand, times, work.step, work.share, work.phase,
                                  hand_drain.ring());
            },
            [&] { hand_drain.wait_until_empty(); });
      });
  request.finish();
}

// About as long as a slice.
void do_nothing() {
  for (int i = 0; i < 64; ++i) bench::opaque(i);
}

// The time that all but one in a thousand keep to.  `idle` are times of doing nothing, taken in
// turn with them: interrupts, and other machines on this one, reach both alike, and alone they can
// come to one in a thousand.  So many of the longer ones are the machine's, but no more than one in
// a hundred.
double tail_beside(std::vector<std::int64_t>& times, std::vector<std::int64_t>& idle) {
  std::sort(times.begin(), times.end());
  std::sort(idle.begin(), idle.end());
  const std::size_t middle = times.size() / 2;
  const double exposed = static_cast<double>(times[middle]) / static_cast<double>(idle[middle]);
  double time = 0;
  for (std::size_t longer = 0; longer < times.size() / 100; ++longer) {
    const std::int64_t candidate = times[times.size() - 1 - longer];
    const auto also = idle.end() - std::upper_bound(idle.begin(), idle.end(), candidate);
    if (static_cast<double>(longer) - exposed * static_cast<double>(also) >
        static_cast<double>(times.size()) / 1000) {
      break;
    }
    time = static_cast<double>(candidate);
  }
  return time / static_cast<double>(times[middle]);
}

// How far the slowest of a thousand slices is from the usual one, of so many that are recorded
// while others are exported.
double tail_of(journey::Request& request, const Work& work, std::size_t slices) {
  std::vector<std::int64_t> times(slices);
  std::vector<std::int64_t> idle(slices);
  for (std::size_t i = 0; i < slices; ++i) {
    // Half a ring is exported at a time, beside this loop.
    if (i % 65536 == 65535) drain();
    const auto begin = std::chrono::steady_clock::now();
    record_ours(request, work);
    const auto end = std::chrono::steady_clock::now();
    do_nothing();
    idle[i] = (std::chrono::steady_clock::now() - end).count();
    times[i] = (end - begin).count();
  }
  drain();
  return tail_beside(times, idle);
}

// In a process that has been up for a while: the kernel brings in each page of a ring once.
void slice_tail(const bench::Bench& bench) {
  if (!bench.wants("journey/slice_p999")) return;
  journey::Request request = journey::start_request({.rid = "r"});
  const Work work;
  const std::size_t slices = bench.quick() ? 20'000 : 200'000;
  tail_of(request, work, slices);
  std::vector<double> tails;
  for (int round = 0; round < bench.rounds(); ++round) {
    tails.push_back(tail_of(request, work, slices));
  }
  request.finish();
  bench.print({"journey/slice_p999", "times the median", bench::median(tails)});
}

// ---- A step of a batch

struct Step {
  explicit Step(const Work& work)
      : attributes{{"decode_ct", work.step}, {"batch.share", work.share}, {"phase", work.phase}} {
    for (std::size_t i = 0; i < kNames.size(); ++i) {
      slices[i].name = std::string_view(kNames[i]);
      slices[i].attributes = attributes;
      // Ends are told, as a scheduler has taken them; the clock is read once, for the last.
      if (i + 1 < kNames.size()) slices[i].end = at(1000 + static_cast<std::int64_t>(i) * 100);
      if (i == 0) slices[i].start = at(900);
    }
  }
  trace::Attribute attributes[3];
  std::array<journey::Slice, kNames.size()> slices;
};

void hand_step(std::vector<floor::SlicedRequest>& requests, const Work& work,
               floor::SliceRing& ring) {
  const std::int64_t now = floor::now_ns();
  for (floor::SlicedRequest& request : requests) {
    for (std::size_t i = 0; i < kNames.size(); ++i) {
      const std::int64_t start = 900 + static_cast<std::int64_t>(i) * 100;
      const floor::SliceTimes times{kNames[i], start, i + 1 < kNames.size() ? start + 100 : now};
      floor::record_slice(request, times, work.step, work.share, work.phase, ring);
    }
  }
}

void batch(const bench::Bench& bench) {
  std::vector<journey::Request> requests = start_batch();
  const Work work;
  const Step step(work);
  std::vector<floor::SlicedRequest> hand(kBatch);
  floor::SliceDrain hand_drain;
  bench.compare(
      "journey/batch_1024x8",
      [&](std::uint64_t iterations) {
        for (; iterations > 0; --iterations) {
          journey::slice_batch(requests, step.slices);
          drain();
        }
      },
      [&](std::uint64_t iterations) {
        for (; iterations > 0; --iterations) {
          hand_step(hand, work, hand_drain.ring());
          hand_drain.wait_until_empty();
        }
      });
  finish(requests);
}

// ---- Hand-over

void propagate(const bench::Bench& bench) {
  Random random(7);
  const trace::TraceId trace_id = trace::TraceId::generate(random);
  const trace::SpanId span_id = trace::SpanId::generate(random);
  const trace::SpanId previous = trace::SpanId::generate(random);
  journey::PropagateContext context;
  context.request = trace::Context(trace::SpanContext(trace_id, span_id, 1));
  context.previous = trace::SpanContext(trace_id, previous, 1);
  const journey::PropagateText text = journey::to_text(context);
  floor::HandedOver hand{trace_id.bytes(), span_id.bytes(), previous.bytes(), 1 << 5 | 1 | 4 | 16};
  char hand_text[floor::kHandedOverText];
  floor::write_handed_over(hand, hand_text);
  require(text.view() == std::string_view(hand_text, sizeof hand_text), "texts differ");
  bench.compare(
      "journey/propagate",
      [&](std::uint64_t iterations) {
        for (; iterations > 0; --iterations) {
          bench::opaque(context);
          journey::PropagateText written = journey::to_text(context);
          bench::opaque(written);
          journey::PropagateContext read;
          require(journey::read_text(written.view(), read) == Errc::ok, "not read");
          bench::opaque(read);
        }
      },
      [&](std::uint64_t iterations) {
        for (; iterations > 0; --iterations) {
          bench::opaque(hand);
          floor::write_handed_over(hand, hand_text);
          bench::opaque(hand_text);
          floor::HandedOver read;
          require(floor::read_handed_over(hand_text, read), "not read");
          bench::opaque(read);
        }
      });
}

// ---- Twenty steps a second, into a file

void sustained(const bench::Bench& bench) {
  if (!bench.wants("journey/sustained")) return;
  const std::string path = (std::filesystem::temp_directory_path() /
                            ("bench_journey." + std::to_string(getpid()) + ".jsonl"))
                               .string();
  trace::ProviderOptions options;
  options.exporters.push_back(std::make_unique<otlp::FileExporter>(path));
  trace::init(std::move(options));
  std::vector<journey::Request> requests = start_batch();
  const Work work;
  const Step step(work);
  const int steps = bench.quick() ? 10 : 200;
  auto next = std::chrono::steady_clock::now();
  for (int i = 0; i < steps; ++i) {
    journey::slice_batch(requests, step.slices);
    journey::batch_span({.name = "decode_step"}, requests);
    next += std::chrono::milliseconds(50);
    std::this_thread::sleep_until(next);
  }
  finish(requests);
  const trace::FlushReport report = trace::provider()->shutdown(std::chrono::seconds(60));
  std::filesystem::remove(path);
  const trace::TraceStats stats = trace::Provider().stats();
  std::fprintf(stderr, "journey/sustained: %s\n", report.to_string().c_str());
  bench.print(
      {"journey/sustained", "spans lost", static_cast<double>(stats.recorded - stats.exported)});
}

}  // namespace

int main(int argc, char** argv) {
  const bench::Bench bench(argc, argv);
  off(bench);
  propagate(bench);
  trace::ProviderOptions options;
  options.exporters.push_back(std::make_unique<bench::TakingExporter>());
  trace::Provider& provider = trace::init(std::move(options));
  journey::set_thread_info("scheduler", {.tp = 0});
  unsampled(bench);
  slice(bench);
  slice_tail(bench);
  batch(bench);
  const trace::FlushReport report = provider.shutdown(std::chrono::seconds(10));
  if (!report.complete()) std::fprintf(stderr, "%s\n", report.to_string().c_str());
  sustained(bench);
}
