#include "lib/trace/processor.hpp"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <limits>
#include <system_error>
#include <utility>

#include "lib/trace/core.hpp"
#include "lib/trace/table.hpp"
#include "spanwire/base/log.hpp"

namespace spanwire::trace::detail {
namespace {

// Below this the offset between the two clocks is noise of reading them; following it would shift
// the spans of one trace against each other.
constexpr std::int64_t kOffsetStepNs = 100'000;

// How much earlier than a flush or a shutdown has to end its exporters are wanted back: a quarter
// of the time, at most this.  A thread that is back in time is joined; one that is left behind may
// still be inside libcurl and OpenSSL when the process ends.
constexpr std::chrono::milliseconds kReturnMargin{250};

// Requests are numbered in steps of kTicket; the lowest bit says that one of them was the shutdown.
constexpr std::uint64_t kTicket = 2;
constexpr std::uint64_t kStopBit = 1;

constinit thread_local const Processor* processor_of_thread = nullptr;

MonotonicTime now() noexcept { return Clock::system().monotonic(); }

std::int64_t ns_of(MonotonicTime time) noexcept { return time.time_since_epoch().count(); }

MonotonicTime time_of(std::int64_t ns) noexcept {
  return MonotonicTime(std::chrono::nanoseconds(ns));
}

MonotonicTime wanted_back_by(MonotonicTime deadline) noexcept {
  const std::chrono::nanoseconds left = deadline - now();
  return deadline - std::clamp<std::chrono::nanoseconds>(left / 4, {}, kReturnMargin);
}

}  // namespace

struct Processor::Batch {
  explicit Batch(std::size_t spans_max) : max(std::max<std::size_t>(spans_max, 1)) {
    spans.reserve(max);
  }
  void clear() noexcept {
    spans.clear();
    blocks.clear();
    touched.clear();
    unfolded_bytes = 0;
  }
  // Until clear(); for records that are in no ring as they are.
  std::byte* room(std::size_t bytes) {
    // Never split over two pieces: what does not fit begins the next one.
    if (unfolded_bytes / kPiece != (unfolded_bytes + bytes - 1) / kPiece) {
      unfolded_bytes = (unfolded_bytes / kPiece + 1) * kPiece;
    }
    const std::size_t piece = unfolded_bytes / kPiece;
    if (piece == unfolded.size()) unfolded.push_back(std::make_unique<std::byte[]>(kPiece));
    std::byte* to = unfolded[piece].get() + unfolded_bytes % kPiece;
    unfolded_bytes += bytes;
    return to;
  }

  std::size_t max;
  std::vector<SpanRecordView> spans;
  std::vector<ExternalItems> blocks;
  std::vector<ThreadState*> touched;

 private:
  static constexpr std::size_t kPiece = 64u << 10;
  std::vector<std::unique_ptr<std::byte[]>> unfolded;
  std::size_t unfolded_bytes = 0;
};

Processor::Processor(Core& core, std::vector<std::unique_ptr<Exporter>> exporters)
    : core_(core), exporters_(std::move(exporters)) {}

void Processor::start() noexcept {
  const std::scoped_lock lock(start_mutex_);
  if (started_.load(std::memory_order_relaxed)) return;  // or shut down
  // Signals are the program's: none is delivered on this thread.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    thread_ = std::thread([this] { run(); });
    pthread_setname_np(thread_.native_handle(), "spanwire-export");
  } catch (const std::system_error&) {
    // Too many threads in the process: spans wait in their rings, the next one tries again.
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  started_.store(thread_.joinable(), std::memory_order_release);
}

void Processor::make_exporters() {
  if (exporters_.empty() && !core_.prototypes().empty()) {
    for (const Exporter* prototype : core_.prototypes()) {
      if (auto exporter = prototype->for_child()) exporters_.push_back(std::move(exporter));
    }
  }
  for (const auto& exporter : exporters_) exporter->start(core_.options().resource);
  exporters_ready_.store(true, std::memory_order_release);
}

void Processor::run() noexcept {
  processor_of_thread = this;
  Batch batch(core_.options().batch_spans_max);
  try {
    make_exporters();
  } catch (...) {
    // An exporter that cannot start refuses its batches, which is where that is counted.
    exporters_ready_.store(true, std::memory_order_release);
  }
  for (bool stop = false; !stop;) {
    const std::uint32_t seen = wake_.load();
    const std::uint64_t ticket = requested_.load(std::memory_order_acquire);
    stop = (ticket & kStopBit) != 0;
    refresh_wall_offset();
    drain(batch);
    core_.publish();
    if (ticket != finished_.load(std::memory_order_relaxed)) finish_request(ticket);
    if (!stop) wake_.wait(seen, now() + core_.options().schedule_delay);
  }
}

void Processor::finish_request(std::uint64_t ticket) {
  finish_exporters((ticket & kStopBit) != 0);
  // The haste is over, unless somebody else is in a hurry by now.
  if (ticket == requested_.load(std::memory_order_acquire) && (ticket & kStopBit) == 0) {
    urgent_ns_.store(0, std::memory_order_release);
  }
  finished_.store(ticket, std::memory_order_release);
  done_.notify();
}

void Processor::refresh_wall_offset() noexcept {
  const Clock& clock = core_.clock();
  const std::int64_t before = ns_of(clock.monotonic());
  const std::int64_t wall = clock.wall().time_since_epoch().count();
  const std::int64_t after = ns_of(clock.monotonic());
  const std::int64_t offset = wall - (before + (after - before) / 2);
  if (std::abs(offset - wall_offset_ns_) > kOffsetStepNs) wall_offset_ns_ = offset;
}

bool Processor::out_of_time() const noexcept {
  return (requested_.load(std::memory_order_acquire) & kStopBit) != 0 &&
         ns_of(now()) >= urgent_ns_.load(std::memory_order_acquire);
}

MonotonicTime Processor::export_deadline() const noexcept {
  const auto timeout = core_.options().export_timeout;
  const std::int64_t own =
      timeout.count() > 0 ? ns_of(now() + timeout) : std::numeric_limits<std::int64_t>::max();
  const std::int64_t urgent = urgent_ns_.load(std::memory_order_acquire);
  return time_of(urgent != 0 ? std::min(own, urgent) : own);
}

// One pass over all rings, up to what they held when it came to them: a thread that ends spans
// faster than they are exported does not keep a flush from finishing.
void Processor::drain(Batch& batch) {
  for (ThreadState* state = core_.first_state(); state != nullptr; state = state->next) {
    take_from(*state, batch);
  }
  export_batch(batch);
}

void Processor::take_from(ThreadState& state, Batch& batch) {
  auto [at, end] = state.ring.readable();
  if (at == end) return;
  batch.touched.push_back(&state);
  while (at != end) {
    const std::byte* entry = state.ring.at(at);
    const auto* header = reinterpret_cast<const RecordHeader*>(entry);
    state.taken_to = at;
    if (header->entry_type == EntryType::table) take_table(state, batch, entry);
    // Entries are mostly alike: where the next but two will be can be guessed, and fetched.
    __builtin_prefetch(state.ring.at(at + 3 * std::uint64_t{header->entry_bytes}));
    at += header->entry_bytes;
    state.taken_to = at;
    if (header->entry_type == EntryType::skip || header->entry_type == EntryType::table) continue;
    const std::byte* items = entry + sizeof(RecordHeader);
    if (header->entry_type == EntryType::external) {
      const auto* external = reinterpret_cast<const ExternalItems*>(items);
      batch.blocks.push_back(*external);
      items = external->items;
    }
    batch.spans.emplace_back(header, items, wall_offset_ns_);
    if (batch.spans.size() < batch.max) continue;
    export_batch(batch);
    if (at != end) batch.touched.push_back(&state);
  }
}

// The entry stays in the ring until the last of its spans is exported.
void Processor::take_table(ThreadState& state, Batch& batch, const std::byte* entry) {
  const TableView table(entry);
  for (std::size_t i = 0; i < table.spans(); ++i) {
    std::byte* to = batch.room(table.record_bytes(i));
    batch.spans.push_back(table.unfold(i, to, wall_offset_ns_));
    if (batch.spans.size() < batch.max) continue;
    export_batch(batch);
    batch.touched.push_back(&state);
  }
}

void Processor::export_batch(Batch& batch) {
  const std::size_t spans = batch.spans.size();
  if (spans != 0) {
    {
      const std::scoped_lock lock(settled_mutex_);
      in_flight_ = spans;
    }
    std::size_t delivered = 0;
    LossReason reason = LossReason::no_exporter;
    const bool late = out_of_time();
    if (late) reason = LossReason::shut_down;
    for (std::size_t i = 0; i < exporters_.size() && !late; ++i) {
      const ExportResult result = export_to(*exporters_[i], batch, reason);
      delivered = std::max(delivered, std::min(result.delivered, spans));
      if (result.delivered < spans) note_failure(*exporters_[i], result.error);
    }
    settle(batch, delivered, reason);
  }
  for (ThreadState* state : batch.touched) state->ring.commit(state->taken_to);
  for (const ExternalItems& block : batch.blocks) core_.give_block(block.items, block.capacity);
  batch.clear();
}

ExportResult Processor::export_to(Exporter& exporter, const Batch& batch,
                                  LossReason& reason) noexcept {
  try {
    const ExportResult result = exporter.export_batch(batch.spans, export_deadline());
    reason = result.reason;
    return result;
  } catch (const std::exception& exception) {
    reason = LossReason::exporter_threw;
    return {0, Error(Errc::export_failed, exception.what())};
  } catch (...) {
    reason = LossReason::exporter_threw;
    return {0, Error(Errc::export_failed)};
  }
}

void Processor::settle(Batch& batch, std::size_t delivered, LossReason reason) {
  const std::size_t spans = batch.spans.size();
  core_.leave_queue(spans);
  const std::scoped_lock lock(settled_mutex_);
  // Given up on meanwhile, and counted as lost: it stays at that.
  if (settled_.closed) return;
  settled_.exported += delivered;
  settled_.lost[reason] += spans - delivered;
  settled_.taken += spans;
  in_flight_ = 0;
}

void Processor::note_failure(const Exporter& exporter, const Error& error) {
  log_warn("an exporter failed", {{"exporter", exporter.name()}, {"error", error.message()}});
  const std::scoped_lock lock(settled_mutex_);
  ++settled_.failures;
  settled_.cause = error;
}

void Processor::finish_exporters(bool stop) noexcept {
  const MonotonicTime deadline = export_deadline();
  for (const auto& exporter : exporters_) {
    Error error;
    try {
      const Result<void> result =
          stop ? exporter->shutdown(deadline) : exporter->force_flush(deadline);
      if (!result) error = result.error();
    } catch (...) {
      error = Error(Errc::export_failed, std::string(exporter->name()) + " threw");
    }
    if (error != Error()) note_failure(*exporter, error);
  }
}

bool Processor::request(MonotonicTime deadline, bool stop) {
  ensure_started();
  if (!started_.load(std::memory_order_acquire)) return false;
  const MonotonicTime urgent = wanted_back_by(deadline);
  urgent_ns_.store(ns_of(urgent), std::memory_order_release);
  const std::uint64_t step = kTicket + (stop ? kStopBit : 0);
  const std::uint64_t ticket = requested_.fetch_add(step, std::memory_order_acq_rel) + step;
  if (exporters_ready_.load(std::memory_order_acquire)) {
    for (const auto& exporter : exporters_) exporter->hasten(urgent);
  }
  wake_.notify();
  for (;;) {
    const std::uint32_t seen = done_.load();
    if (finished_.load(std::memory_order_acquire) >= ticket) return true;
    if (now() >= deadline) return false;
    done_.wait(seen, deadline);
  }
}

bool Processor::flush(MonotonicTime deadline) {
  // An exporter that flushes from within would wait for itself.
  return processor_of_thread != this && request(deadline, false);
}

bool Processor::shutdown(MonotonicTime deadline) {
  bool finished = core_.first_state() == nullptr && !started_.load(std::memory_order_acquire);
  if (!finished && processor_of_thread != this) finished = request(deadline, true);
  {
    const std::scoped_lock lock(settled_mutex_);
    settled_.closed = true;
    settled_.lost[LossReason::export_timeout] += in_flight_;
    settled_.taken += in_flight_;
    in_flight_ = 0;
  }
  std::thread thread;
  {
    const std::scoped_lock lock(start_mutex_);
    started_.store(true, std::memory_order_release);  // never again
    thread = std::move(thread_);
  }
  if (thread.joinable()) finished ? thread.join() : thread.detach();
  return finished;
}

Settled Processor::settled() const {
  const std::scoped_lock lock(settled_mutex_);
  return settled_;
}

}  // namespace spanwire::trace::detail
