// The export thread: takes ended spans out of the rings in batches and hands them to the lanes, one
// for each exporter.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "lib/trace/lane.hpp"
#include "lib/trace/slab.hpp"
#include "lib/trace/span_batch.hpp"
#include "lib/trace/wait_word.hpp"
#include "spanwire/trace/provider.hpp"

namespace spanwire::trace::detail {

struct ThreadState;

// Safe from any thread.
class Processor {
 public:
  // The exporters of a forked child are made by its thread.
  Processor(Core& core, std::vector<std::unique_ptr<Exporter>> exporters);

  // Starts the thread if it does not run.  The first recorded span of a process calls it.
  void ensure_started() noexcept {
    if (!started_.load(std::memory_order_acquire)) [[unlikely]]
      start();
  }
  // Exports now instead of at the end of the schedule delay.
  void hurry() noexcept { wake_.notify(); }

  // True when all that was ended before the call has been exported and the exporters are flushed.
  bool flush(MonotonicTime deadline);
  // The same, then closes the exporters and ends the threads; at `deadline` those that are not done
  // are left behind with whatever they are doing.  One caller.
  bool shutdown(MonotonicTime deadline);

  Settled settled() const { return shared_.accounts.settled(); }
  const Accounts& accounts() const noexcept { return shared_.accounts; }
  // Around a fork, so that the child can read what is settled.
  void lock_settled() { shared_.accounts.lock(); }
  void unlock_settled() { shared_.accounts.unlock(); }

 private:
  void start() noexcept;
  void run() noexcept;
  void make_lanes();
  // With others beside it, a lane has a thread of its own.
  bool in_place() const noexcept { return lanes_.size() == 1; }
  bool request(MonotonicTime deadline, bool stop);
  bool finished(std::uint64_t ticket) const noexcept;
  void drain(SpanBatch& batch);
  void take_from(ThreadState& state, SpanBatch& batch);
  void take_table(ThreadState& state, SpanBatch& batch, const std::byte* entry);
  void export_batch(SpanBatch& batch);
  void hand_out(const SpanBatch& batch);
  void finish_request(std::uint64_t ticket);
  void refresh_wall_offset() noexcept;

  Core& core_;
  LaneShared shared_;
  std::vector<std::unique_ptr<Exporter>> exporters_;  // until there are lanes
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::atomic<bool> lanes_ready_{false};
  std::int64_t wall_offset_ns_ = 0;

  std::mutex start_mutex_;
  std::atomic<bool> started_{false};
  std::thread thread_;

  WaitWord wake_;
  std::atomic<std::uint64_t> requested_{0};
  std::atomic<std::uint64_t> finished_{0};
};

}  // namespace spanwire::trace::detail
