#include "lib/trace/lane.hpp"

#include <pthread.h>

#include <algorithm>
#include <exception>
#include <string>
#include <system_error>
#include <utility>

#include "spanwire/base/log.hpp"

namespace spanwire::trace::detail {
namespace {

// A flush or a shutdown wants the exporters back a quarter of its time early, at most this.
constexpr std::chrono::milliseconds kReturnMargin{250};

constinit thread_local const LaneShared* shared_of_thread = nullptr;

MonotonicTime now() noexcept { return Clock::system().monotonic(); }

std::int64_t ns_of(MonotonicTime time) noexcept { return time.time_since_epoch().count(); }

MonotonicTime time_of(std::int64_t ns) noexcept {
  return MonotonicTime(std::chrono::nanoseconds(ns));
}

}  // namespace

MonotonicTime Haste::begin(MonotonicTime deadline, bool stop) noexcept {
  const std::chrono::nanoseconds left = deadline - now();
  const MonotonicTime wanted =
      deadline - std::clamp<std::chrono::nanoseconds>(left / 4, {}, kReturnMargin);
  (stop ? stop_ns_ : flush_ns_).store(ns_of(wanted), std::memory_order_release);
  return wanted;
}

void Haste::end(MonotonicTime wanted) noexcept {
  std::int64_t expected = ns_of(wanted);  // unless somebody else is in a hurry by now
  flush_ns_.compare_exchange_strong(expected, 0, std::memory_order_acq_rel);
}

MonotonicTime Haste::wanted() const noexcept {
  const MonotonicTime flush = time_of(flush_ns_.load(std::memory_order_acquire));
  // A flush whose time is up waits no more: what is left is exported as if it had not been.
  return std::min(flush > now() ? flush : MonotonicTime::max(), stop_time());
}

MonotonicTime Haste::export_deadline(std::chrono::nanoseconds timeout) const noexcept {
  const MonotonicTime asked = wanted();
  return timeout.count() > 0 ? std::min(now() + timeout, asked) : asked;
}

MonotonicTime Haste::flush_deadline(std::chrono::nanoseconds timeout) const noexcept {
  const MonotonicTime asked = wanted();
  return asked != MonotonicTime::max() ? asked : export_deadline(timeout);
}

MonotonicTime Haste::stop_time() const noexcept {
  const std::int64_t stop = stop_ns_.load(std::memory_order_acquire);
  return stop != 0 ? time_of(stop) : MonotonicTime::max();
}

bool Haste::too_late() const noexcept { return now() >= stop_time(); }

Lane::Lane(LaneShared& shared, std::unique_ptr<Exporter> exporter, std::size_t index)
    : shared_(shared), exporter_(std::move(exporter)), index_(index) {}

bool Lane::on_thread_of(const LaneShared& shared) noexcept { return shared_of_thread == &shared; }

void Lane::adopt_thread(const LaneShared& shared) noexcept { shared_of_thread = &shared; }

void Lane::start_exporter() noexcept {
  try {
    exporter_->start(shared_.options.resource);
  } catch (const std::exception& exception) {
    // It refuses its batches, which is where that is counted.
    log_warn("an exporter does not start",
             {{"exporter", exporter_->name()}, {"error", exception.what()}});
  } catch (...) {
    log_warn("an exporter does not start", {{"exporter", exporter_->name()}});
  }
  ready_.store(true, std::memory_order_release);
}

void Lane::export_spans(std::span<const SpanRecordView> spans, Tally& tally) {
  if (shared_.haste.too_late()) {
    return shared_.accounts.settle(tally, index_, 0, LossReason::shut_down);
  }
  const MonotonicTime began = now();
  const ExportResult result = export_to(spans);
  shared_.accounts.note_time(index_, now() - began);
  shared_.accounts.settle(tally, index_, result.delivered, result.reason);
  if (result.delivered < spans.size()) fail(result.error);
}

ExportResult Lane::export_to(std::span<const SpanRecordView> spans) noexcept {
  try {
    return exporter_->export_batch(spans,
                                   shared_.haste.export_deadline(shared_.options.export_timeout));
  } catch (const std::exception& exception) {
    return {0, Error(Errc::export_failed, exception.what()), LossReason::exporter_threw};
  } catch (...) {
    return {0, Error(Errc::export_failed), LossReason::exporter_threw};
  }
}

void Lane::fail(const Error& error) {
  log_warn("an exporter failed", {{"exporter", exporter_->name()}, {"error", error.message()}});
  shared_.accounts.note_failure(index_, error);
}

void Lane::finish(std::uint64_t ticket) noexcept {
  const MonotonicTime deadline = shared_.haste.flush_deadline(shared_.options.export_timeout);
  try {
    const Result<void> result =
        stops(ticket) ? exporter_->shutdown(deadline) : exporter_->force_flush(deadline);
    if (!result) fail(result.error());
  } catch (...) {
    fail(Error(Errc::export_failed, std::string(exporter_->name()) + " threw"));
  }
  finished_.store(ticket, std::memory_order_release);
  shared_.done.notify();
}

void Lane::hasten(MonotonicTime wanted) noexcept {
  if (ready_.load(std::memory_order_acquire)) exporter_->hasten(wanted);
}

bool Lane::fits(const BatchCopy& batch) const noexcept {
  const ProviderOptions& options = shared_.options;
  const std::size_t spans_max = options.queue_spans_max;
  // One batch always has room: it may be larger than all of the queue.
  if (queued_spans_ == 0) return true;
  return queued_bytes_ + batch.bytes() <= options.exporter_queue_bytes_max &&
         (spans_max == 0 || queued_spans_ + batch.spans().size() <= spans_max);
}

bool Lane::has_room(const BatchCopy& batch) {
  const std::scoped_lock lock(mutex_);
  return fits(batch);
}

bool Lane::enqueue(Job job) {
  const std::scoped_lock lock(mutex_);
  if (job.batch == nullptr) {
    // Many flushes that wait for the same batches are one.
    if (!jobs_.empty() && jobs_.back().batch == nullptr) jobs_.pop_back();
  } else {
    if (!fits(*job.batch)) return false;
    queued_bytes_ += job.batch->bytes();
    queued_spans_ += job.batch->spans().size();
  }
  jobs_.push_back(std::move(job));
  return true;
}

Lane::Job Lane::take() {
  const std::scoped_lock lock(mutex_);
  if (jobs_.empty()) return {};
  Job job = std::move(jobs_.front());
  jobs_.pop_front();
  if (job.batch != nullptr) {
    queued_bytes_ -= job.batch->bytes();
    queued_spans_ -= job.batch->spans().size();
  }
  return job;
}

void Lane::push(const std::shared_ptr<BatchCopy>& batch) {
  ensure_thread();
  if (enqueue({batch, 0})) {
    overflowing_ = false;
    wake_.notify();
    return;
  }
  shared_.accounts.settle(batch->tally(), index_, 0, LossReason::exporter_full);
  const Error error(Errc::queue_full, std::string(exporter_->name()) + " is too slow or hangs");
  if (overflowing_) return shared_.accounts.note_failure(index_, error);
  overflowing_ = true;
  fail(error);
}

void Lane::push_request(std::uint64_t ticket) {
  ensure_thread();
  enqueue({nullptr, ticket});
  wake_.notify();
}

void Lane::ensure_thread() {
  if (thread_.joinable()) return;
  try {
    thread_ = std::thread([this] { run(); });
    const std::string name = "spanwire-out-" + std::to_string(index_);
    pthread_setname_np(thread_.native_handle(), name.substr(0, 15).c_str());
  } catch (const std::system_error&) {
    // Too many threads in the process: batches wait, the next one tries again.
  }
}

void Lane::run() noexcept {
  adopt_thread(shared_);
  start_exporter();
  for (;;) {
    const std::uint32_t seen = wake_.load();
    Job job = take();
    if (job.batch != nullptr) {
      shared_.room.notify();
      export_spans(job.batch->spans(), job.batch->tally());
    } else if (job.ticket != 0) {
      finish(job.ticket);
      if (stops(job.ticket)) return;
    } else {
      wake_.wait(seen, now() + std::chrono::hours(1));
    }
  }
}

void Lane::leave() {
  const bool ended = stops(finished_.load(std::memory_order_acquire));
  if (!ended) lose_queue();
  if (thread_.joinable()) ended ? thread_.join() : thread_.detach();
}

// All but the request to stop, for when the exporter comes back.
void Lane::lose_queue() {
  const std::scoped_lock lock(mutex_);
  for (const Job& job : jobs_) {
    if (job.batch == nullptr) continue;
    shared_.accounts.settle(job.batch->tally(), index_, 0, LossReason::shut_down);
  }
  std::erase_if(jobs_, [](const Job& job) { return job.batch != nullptr; });
}

}  // namespace spanwire::trace::detail
