// Several threads at the same requests.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "spanwire/base/random.hpp"
#include "spanwire/journey/batch.hpp"
#include "spanwire/journey/by_id.hpp"
#include "tests/journey/fixture.hpp"

namespace spanwire::journey {
namespace {

class CountingExporter final : public trace::Exporter {
 public:
  std::string_view name() const noexcept override { return "counting"; }
  trace::ExportResult export_batch(std::span<const trace::SpanRecordView> spans,
                                   MonotonicTime) override {
    return {spans.size(), {}};
  }
};

class ManyTest : public JourneyTest {
 protected:
  void start_counting() {
    trace::ProviderOptions options = this->options();
    options.exporters.clear();
    options.exporters.push_back(std::make_unique<CountingExporter>());
    options.ring_bytes_per_thread = 32u << 20;
    trace::init(std::move(options));
  }
};

// Threads that use, finish, start again and hand over the same ids at the same time: every span
// that was begun is accounted for, whatever the order.
TEST_F(ManyTest, WhateverThreadsDoToEachOthersRequestsNothingIsLost) {
  start_counting();
  std::vector<std::thread> threads;
  for (int number = 0; number < 4; ++number) {
    threads.emplace_back([number] {
      set_thread_info("worker" + std::to_string(number));
      Random random(static_cast<std::uint64_t>(number) + 1);
      std::vector<Request> handles(4);
      for (int i = 0; i < 2000; ++i) {
        const std::string rid = std::to_string(random.below(4));
        Request& handle = handles[random.below(handles.size())];
        switch (random.below(9)) {
          case 0:
            by_id::start({.rid = rid});
            break;
          case 1:
            by_id::finish(rid);
            break;
          case 2:
            if (const auto context = by_id::propagate_context(rid)) {
              by_id::set_propagate_context(rid, *context);
              handle = attach_request(*context, rid);
            }
            break;
          case 3:
            by_id::slice_start("s", rid);
            break;
          case 4:
            by_id::slice_end("s", rid, {.thread_finish = random.below(8) == 0});
            break;
          case 5:
            handle = by_id::find(rid);
            break;
          case 6:
            handle.slice({.name = "complete", .start = now(), .end = now()});
            break;
          case 7:
            slice_batch(handles, std::vector<Slice>{{.name = "batch"}, {.name = "next"}});
            break;
          default:
            handle.abort();
        }
      }
      for (Request& handle : handles) handle.leave_open();
    });
  }
  for (std::thread& thread : threads) thread.join();
  clock().advance(std::chrono::hours(1));
  sweep();
  trace::provider()->force_flush(std::chrono::seconds(60));
  const trace::TraceStats stats = trace::Provider().stats();
  EXPECT_EQ(stats.open, 0u);
  EXPECT_EQ(stats.exported + stats.lost.total(), stats.recorded);
  EXPECT_EQ(stats.lost.total(), 0u);
}

}  // namespace
}  // namespace spanwire::journey
