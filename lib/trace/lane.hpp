// A lane: the way to one exporter.  Alone, it runs on the export thread and reads the rings in
// place.  Beside others it has a thread and a bounded queue of its own, so that a backend that is
// slow or dead holds up nobody but itself.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <span>
#include <thread>

#include "lib/trace/accounts.hpp"
#include "lib/trace/span_batch.hpp"
#include "lib/trace/wait_word.hpp"
#include "spanwire/trace/provider.hpp"

namespace spanwire::trace::detail {

// Flushes and shutdowns are numbered in steps of kTicket; the lowest bit says that one of them was
// the shutdown.
inline constexpr std::uint64_t kTicket = 2;
inline constexpr std::uint64_t kStopBit = 1;
constexpr bool stops(std::uint64_t ticket) noexcept { return (ticket & kStopBit) != 0; }

// When flushes and shutdowns want the exporters back.
class Haste {
 public:
  // Returns the time, which is before `deadline`: a thread that is back in time is joined; one that
  // is left behind may still be inside libcurl and OpenSSL when the process ends.
  MonotonicTime begin(MonotonicTime deadline, bool stop) noexcept;
  // That of a flush is over.
  void end(MonotonicTime wanted) noexcept;

  // Of a batch that may take `timeout` (0: for ever) by itself.
  MonotonicTime export_deadline(std::chrono::nanoseconds timeout) const noexcept;
  // What was asked for, or else export_deadline().
  MonotonicTime flush_deadline(std::chrono::nanoseconds timeout) const noexcept;
  // The shutdown has no time left to export anything.
  bool too_late() const noexcept;
  // When that will be; far away if nobody shuts down.
  MonotonicTime stop_time() const noexcept;

 private:
  MonotonicTime wanted() const noexcept;

  std::atomic<std::int64_t> flush_ns_{0};  // 0: none is under way
  std::atomic<std::int64_t> stop_ns_{0};
};

// What the lanes of a provider share.
struct LaneShared {
  const ProviderOptions& options;
  Accounts accounts;
  Haste haste;
  WaitWord done;  // a lane has finished a flush or a shutdown
  WaitWord room;  // a lane has taken a batch out of its queue, or the haste has changed
};

class Lane {
 public:
  Lane(LaneShared& shared, std::unique_ptr<Exporter> exporter, std::size_t index);

  // Of the thread that runs the lane.
  void start_exporter() noexcept;
  void export_spans(std::span<const SpanRecordView> spans, Tally& tally);
  void finish(std::uint64_t ticket) noexcept;

  // Of the export thread, for a lane with a thread of its own.  What does not fit is lost to this
  // exporter and counted.
  void push(const std::shared_ptr<BatchCopy>& batch);
  bool has_room(const BatchCopy& batch);
  void push_request(std::uint64_t ticket);

  // From any thread.
  void hasten(MonotonicTime wanted) noexcept;
  bool finished(std::uint64_t ticket) const noexcept {
    return finished_.load(std::memory_order_acquire) >= ticket;
  }
  // The shutdown is over: loses what waits, and joins the thread or leaves it behind.
  void leave();
  // True on the thread that runs a lane of these.
  static bool on_thread_of(const LaneShared& shared) noexcept;
  // The calling thread runs lanes of these.
  static void adopt_thread(const LaneShared& shared) noexcept;

 private:
  struct Job {
    std::shared_ptr<BatchCopy> batch;  // null: a request
    std::uint64_t ticket = 0;
  };
  ExportResult export_to(std::span<const SpanRecordView> spans) noexcept;
  void fail(const Error& error);
  bool enqueue(Job job);
  bool fits(const BatchCopy& batch) const noexcept;
  Job take();
  void lose_queue();
  void ensure_thread();
  void run() noexcept;

  LaneShared& shared_;
  const std::unique_ptr<Exporter> exporter_;
  const std::size_t index_;
  std::atomic<bool> ready_{false};
  std::atomic<std::uint64_t> finished_{0};

  std::mutex mutex_;  // of the three below
  std::deque<Job> jobs_;
  std::size_t queued_bytes_ = 0;
  std::size_t queued_spans_ = 0;
  bool overflowing_ = false;
  WaitWord wake_;
  std::thread thread_;
};

}  // namespace spanwire::trace::detail
