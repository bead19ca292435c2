// The export thread: takes ended spans out of the rings and hands them to the exporters in batches.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "lib/trace/slab.hpp"
#include "lib/trace/wait_word.hpp"
#include "spanwire/trace/provider.hpp"

namespace spanwire::trace::detail {

struct ThreadState;

// Spans as far as this side knows them.
struct Settled {
  std::uint64_t exported = 0;
  LossCounts lost;
  // Taken out of the rings: exported, lost, or at an exporter that was given up on.
  std::uint64_t taken = 0;
  // Shutdown is over: what still waits in the rings is lost.
  bool closed = false;
  std::uint64_t failures = 0;
  Error cause;  // of the latest failure
};

// Safe from any thread.
class Processor {
 public:
  Processor(Core& core, std::vector<std::unique_ptr<Exporter>> exporters);

  // Starts the thread if it does not run.  The first recorded span of a process calls it.
  void ensure_started() noexcept {
    if (!started_.load(std::memory_order_acquire)) [[unlikely]]
      start();
  }
  // Exports now instead of at the end of the schedule delay.
  void hurry() noexcept { wake_.notify(); }

  // True when the thread has exported all that was ended before the call and flushed the exporters.
  bool flush(MonotonicTime deadline);
  // The same, then closes the exporters and ends the thread; at `deadline` the thread is left
  // behind with whatever it is doing.  One caller.
  bool shutdown(MonotonicTime deadline);

  Settled settled() const;
  // Around a fork, so that the child can read what is settled.
  void lock_settled() { settled_mutex_.lock(); }
  void unlock_settled() { settled_mutex_.unlock(); }

 private:
  struct Batch;

  void start() noexcept;
  void run() noexcept;
  void make_exporters();
  bool request(MonotonicTime deadline, bool stop);
  void drain(Batch& batch);
  void take_from(ThreadState& state, Batch& batch);
  void take_table(ThreadState& state, Batch& batch, const std::byte* entry);
  void export_batch(Batch& batch);
  ExportResult export_to(Exporter& exporter, const Batch& batch, LossReason& reason) noexcept;
  void settle(Batch& batch, std::size_t delivered, LossReason reason);
  void note_failure(const Exporter& exporter, const Error& error);
  void finish_request(std::uint64_t ticket);
  void finish_exporters(bool stop) noexcept;
  MonotonicTime export_deadline() const noexcept;
  void refresh_wall_offset() noexcept;
  bool out_of_time() const noexcept;

  Core& core_;
  std::vector<std::unique_ptr<Exporter>> exporters_;
  std::atomic<bool> exporters_ready_{false};
  std::int64_t wall_offset_ns_ = 0;

  std::mutex start_mutex_;
  std::atomic<bool> started_{false};
  std::thread thread_;

  WaitWord wake_;
  WaitWord done_;
  std::atomic<std::uint64_t> requested_{0};
  std::atomic<std::uint64_t> finished_{0};
  // When the latest flush or shutdown wants the exporters back; 0 while none is under way.
  std::atomic<std::int64_t> urgent_ns_{0};

  mutable std::mutex settled_mutex_;
  Settled settled_;
  std::size_t in_flight_ = 0;
};

}  // namespace spanwire::trace::detail
