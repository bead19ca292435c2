// A forked child exports its own spans and nobody else's.
#include "tests/support/fork.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/log_capture.hpp"
#include "tests/trace/provider_fixture.hpp"

namespace spanwire::trace {
namespace {

using testing::run_in_child;

// What a child found wrong, as the bits of its exit code.
enum Wrong : int {
  kNothing = 0,
  kFlush = 1,
  kCounts = 2,
  kSpan = 4,
  kIdentity = 8,
  kShutdown = 16
};

class ForkTest : public ProviderTest {};

TEST_F(ForkTest, TheChildDiscardsWhatItInherits) {
  start();
  Span open = tracer().start({}, "open");
  open.set("large", std::string(5000, 'x'));
  tracer().start({}, "queued").end();
  const int wrong = run_in_child([&] {
    int bits = kNothing;
    const TraceStats inherited = provider()->stats();
    if (inherited.discarded_in_child != 2 || inherited.recorded != 0) bits |= kCounts;
    // The parent exports it; here it has no effect, and nothing breaks.
    open.set("more", std::string(9000, 'y')).add_event("ignored");
    open.end();
    open.end();
    tracer().start({}, "own").end();
    const FlushReport report = provider()->force_flush(kEnough);
    if (!report.complete() || report.exported != 1) bits |= kFlush;
    const TraceStats own = provider()->stats();
    if (own.recorded != 1 || own.exported != 1 || own.lost.total() != 0) bits |= kCounts;
    if (!provider()->shutdown(kEnough).complete()) bits |= kShutdown;
    return bits;
  });
  EXPECT_EQ(wrong, kNothing);
  open.end();
  const std::vector<SpanData> all = spans();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].name, "queued");
  EXPECT_EQ(all[1].name, "open");
  EXPECT_EQ(all[1].attributes.size(), 1u) << "nothing of the child's";
  expect_all_accounted(stats());
}

// Which of the two begins to trace does not matter to the other.
TEST_F(ForkTest, TheChildMayInitByItself) {
  const int wrong = run_in_child([this] {
    start();
    tracer().start({}, "own").end();
    return provider()->shutdown(kEnough).exported == 1 ? kNothing : kShutdown;
  });
  EXPECT_EQ(wrong, kNothing);
  EXPECT_EQ(provider(), nullptr);
  start();
  tracer().start({}, "parent").end();
  EXPECT_EQ(shutdown().exported, 1u);
}

TEST_F(ForkTest, AnInitInTheChildReturnsTheInheritedProvider) {
  start();
  tracer().start({}, "before").end();
  ASSERT_TRUE(flush().complete());
  const int wrong = run_in_child([this] {
    Provider* inherited = provider();
    if (inherited == nullptr || &init(options()) != inherited) return kIdentity;
    tracer().start({}, "own").end();
    return provider()->shutdown(kEnough).exported == 1 ? kNothing : kShutdown;
  });
  EXPECT_EQ(wrong, kNothing);
}

// With several exporters, each of their threads.
TEST_F(ForkTest, TheChildHasAThreadForEachExporter) {
  ProviderOptions two = options();
  two.exporters.push_back(std::make_unique<MemoryExporter>(std::make_shared<SpanStore>()));
  init(std::move(two));
  tracer().start({}, "before").end();
  ASSERT_TRUE(flush().complete());
  const int wrong = run_in_child([] {
    tracer().start({}, "own").end();
    if (provider()->shutdown(kEnough).exported != 1) return kShutdown;
    const std::vector<ExporterStats> each = Provider().exporter_stats();
    return each.size() == 2 && each[0].exported == 1 && each[1].exported == 1 ? kNothing : kCounts;
  });
  EXPECT_EQ(wrong, kNothing);
  EXPECT_EQ(Provider().exporter_stats().at(1).exported, 1u);
}

// The export thread of the parent is running and in the middle of whatever it does.
TEST_F(ForkTest, TheChildStartsItsOwnThread) {
  start();
  tracer().start({}, "before").end();
  ASSERT_TRUE(flush().complete());
  const int wrong = run_in_child([] {
    std::thread([] { tracer().start({}, "thread").end(); }).join();
    tracer().start({}, "own").end();
    return provider()->shutdown(kEnough).exported == 2 ? kNothing : kShutdown;
  });
  EXPECT_EQ(wrong, kNothing);
  tracer().start({}, "after").end();
  EXPECT_TRUE(flush().complete());
  EXPECT_EQ(store().size(), 2u);
}

TEST_F(ForkTest, IdsAndInstanceAreNew) {
  start();
  tracer().start({}, "before").end();
  const std::string parent_instance = *provider()->resource().text("service.instance.id");
  const Random parent_random = Random::of_thread();
  const int wrong = run_in_child([&] {
    int bits = kNothing;
    if (*provider()->resource().text("service.instance.id") == parent_instance) bits |= kIdentity;
    Random same = parent_random;
    const Span span = tracer().start({}, "own");
    for (int i = 0; i < 16; ++i) {
      if (TraceId::generate(same) == span.context().trace_id()) bits |= kIdentity;
    }
    return bits;
  });
  EXPECT_EQ(wrong, kNothing);
}

// Children of children, each with its own spans.
TEST_F(ForkTest, AGrandchildWorksToo) {
  start();
  const int wrong = run_in_child([] {
    return run_in_child([] {
      tracer().start({}, "grandchild").end();
      return provider()->shutdown(kEnough).exported == 1 ? kNothing : kShutdown;
    });
  });
  EXPECT_EQ(wrong, kNothing);
}

TEST_F(ForkTest, AnExporterThatCannotForkIsCounted) {
  class Lonely final : public Exporter {
   public:
    std::string_view name() const noexcept override { return "lonely"; }
    ExportResult export_batch(std::span<const SpanRecordView> all, MonotonicTime) override {
      return {all.size(), {}};
    }
  };
  ProviderOptions lonely;
  lonely.exporters.push_back(std::make_unique<Lonely>());
  init(std::move(lonely));
  const int wrong = run_in_child([] {
    tracer().start({}, "lost").end();
    const FlushReport report = provider()->force_flush(kEnough);
    return report.in_time && report.lost[LossReason::no_exporter] == 1 ? kNothing : kCounts;
  });
  EXPECT_EQ(wrong, kNothing);
}

// Forks while other threads record and the exporter exports: no lock is left behind for a child.
TEST_F(ForkTest, AForkUnderLoadDoesNotHang) {
  testing::LogCapture log;
  ProviderOptions busy = options();
  busy.schedule_delay = std::chrono::milliseconds(1);
  busy.ring_bytes_per_thread = 64u << 10;
  init(std::move(busy));
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&stop] {
      while (!stop.load()) {
        Span span = tracer().start({}, "load");
        span.set("text", std::string(100, 'x'));
        span.end();
        static_cast<void>(provider()->stats());
      }
    });
  }
  for (int i = 0; i < 20; ++i) {
    const int wrong = run_in_child([] {
      for (int n = 0; n < 10; ++n) tracer().start({}, "child").end();
      const FlushReport report = provider()->shutdown(kEnough);
      return report.complete() && report.exported == 10 ? kNothing : kShutdown;
    });
    EXPECT_EQ(wrong, kNothing) << "fork " << i;
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  flush();
  expect_all_accounted(stats());
}

TEST_F(ForkTest, WithoutAProviderNothingHappens) {
  const int wrong = run_in_child([] {
    if (provider() != nullptr) return static_cast<int>(kIdentity);
    return tracer().start({}, "off").recording() ? static_cast<int>(kSpan) : 0;
  });
  EXPECT_EQ(wrong, kNothing);
}

}  // namespace
}  // namespace spanwire::trace
