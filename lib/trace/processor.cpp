#include "lib/trace/processor.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <new>
#include <string_view>
#include <utility>

#include "lib/base/own_thread.hpp"
#include "lib/trace/core.hpp"
#include "lib/trace/repeats.hpp"
#include "lib/trace/table.hpp"

namespace spanwire::trace::detail {
namespace {

// Below this the offset between the two clocks is noise of reading them; following it would shift
// the spans of one trace against each other.
constexpr std::int64_t kOffsetStepNs = 100'000;

MonotonicTime now() noexcept { return Clock::system().monotonic(); }

std::int64_t ns_of(MonotonicTime time) noexcept { return time.time_since_epoch().count(); }

}  // namespace

Processor::Processor(Core& core, std::vector<std::unique_ptr<Exporter>> exporters)
    : core_(core), shared_{core.options(), {}, {}, {}, {}}, exporters_(std::move(exporters)) {}

void Processor::start() noexcept {
  const std::scoped_lock lock(start_mutex_);
  if (started_.load(std::memory_order_relaxed)) return;  // or shut down
  // Without one spans wait in their rings, and the next one tries again.
  thread_ = start_own_thread("spanwire-export", [this] { run(); });
  started_.store(thread_.joinable(), std::memory_order_release);
}

void Processor::make_lanes() {
  if (exporters_.empty()) {
    for (const Exporter* prototype : core_.prototypes()) {
      if (auto exporter = prototype->for_child()) exporters_.push_back(std::move(exporter));
    }
  }
  std::vector<std::string_view> names;
  for (auto& exporter : exporters_) {
    names.push_back(exporter->name());
    lanes_.push_back(std::make_unique<Lane>(shared_, std::move(exporter), lanes_.size()));
  }
  shared_.accounts.set_exporters(names);
  if (in_place()) lanes_.front()->start_exporter();
  lanes_ready_.store(true, std::memory_order_release);
}

void Processor::run() noexcept {
  Lane::adopt_thread(shared_);
  SpanBatch batch(core_.options().batch_spans_max);
  make_lanes();
  std::uint32_t seen = 0;  // of wake_ before anybody woke it
  for (bool stop = false; !stop;) {
    // Also before the first pass: a first batch of one span serves nobody.
    wake_.wait(seen, now() + core_.options().schedule_delay);
    seen = wake_.load();
    const std::uint64_t ticket = requested_.load(std::memory_order_acquire);
    stop = stops(ticket);
    refresh_wall_offset();
    drain(batch);
    core_.publish();
    if (ticket != finished_.load(std::memory_order_relaxed)) finish_request(ticket);
  }
}

void Processor::finish_request(std::uint64_t ticket) {
  for (const auto& lane : lanes_) {
    in_place() ? lane->finish(ticket) : lane->push_request(ticket);
  }
  finished_.store(ticket, std::memory_order_release);
  shared_.done.notify();
}

void Processor::refresh_wall_offset() noexcept {
  const Clock& clock = core_.clock();
  const std::int64_t before = ns_of(clock.monotonic());
  const std::int64_t wall = clock.wall().time_since_epoch().count();
  const std::int64_t after = ns_of(clock.monotonic());
  const std::int64_t offset = wall - (before + (after - before) / 2);
  if (std::abs(offset - wall_offset_ns_) > kOffsetStepNs) wall_offset_ns_ = offset;
}

// One pass over all rings, up to what they held when it came to them: a thread that ends spans
// faster than they are exported does not keep a flush from finishing.
void Processor::drain(SpanBatch& batch) {
  for (ThreadState* state = core_.first_state(); state != nullptr; state = state->next) {
    take_from(*state, batch);
  }
  export_batch(batch);
}

void Processor::take_from(ThreadState& state, SpanBatch& batch) {
  auto [at, end] = state.ring.readable();
  if (at == end) return;
  batch.touched.push_back(&state);
  while (at != end) {
    std::byte* entry = state.ring.at(at);
    auto* header = reinterpret_cast<RecordHeader*>(entry);
    state.taken_to = at;
    if (header->entry_type == EntryType::table) take_table(state, batch, entry);
    // Entries are mostly alike: where later ones will be can be guessed, and fetched in time.
    __builtin_prefetch(state.ring.at(at + 12 * std::uint64_t{header->entry_bytes}));
    at += header->entry_bytes;
    state.taken_to = at;
    if (header->entry_type == EntryType::skip || header->entry_type == EntryType::table) continue;
    std::byte* items = entry + sizeof(RecordHeader);
    if (header->may_repeat != 0) {
      header->attributes -= static_cast<std::uint16_t>(remove_repeats(items, header->items_bytes));
    }
    if (header->entry_type == EntryType::external) {
      const auto* external = reinterpret_cast<const ExternalItems*>(items);
      batch.blocks.push_back(*external);
      items = external->items;
    }
    batch.spans.emplace_back(header, items, wall_offset_ns_);
    if (batch.spans.size() < batch.max) continue;
    state.ring.ready_ahead(end - at);
    export_batch(batch);
    if (at != end) batch.touched.push_back(&state);
  }
}

// The entry stays in the ring until the last of its spans is exported.
void Processor::take_table(ThreadState& state, SpanBatch& batch, const std::byte* entry) {
  const TableView table(entry);
  for (std::size_t i = 0; i < table.spans(); ++i) {
    std::byte* to = batch.room(table.record_bytes(i));
    batch.spans.push_back(table.unfold(i, to, wall_offset_ns_));
    if (batch.spans.size() < batch.max) continue;
    export_batch(batch);
    batch.touched.push_back(&state);
  }
}

void Processor::export_batch(SpanBatch& batch) {
  const std::size_t spans = batch.spans.size();
  if (spans != 0) {
    if (lanes_.empty() || shared_.haste.too_late()) {
      shared_.accounts.lose(spans,
                            lanes_.empty() ? LossReason::no_exporter : LossReason::shut_down);
    } else if (in_place()) {
      Tally tally = shared_.accounts.open(spans);
      lanes_.front()->export_spans(batch.spans, tally);
    } else {
      hand_out(batch);
    }
    core_.leave_queue(spans);
  }
  for (ThreadState* state : batch.touched) state->ring.commit(state->taken_to);
  for (const ExternalItems& block : batch.blocks) core_.arena().give(block.items, block.capacity);
  batch.clear();
}

void Processor::hand_out(const SpanBatch& batch) {
  std::shared_ptr<BatchCopy> copy;
  try {
    copy = std::make_shared<BatchCopy>(batch.spans);
  } catch (const std::bad_alloc&) {
    return shared_.accounts.lose(batch.spans.size(), LossReason::exporter_full);
  }
  // At the pace of the fastest: while none has room, spans wait in the rings.
  while (!shared_.haste.too_late()) {
    const std::uint32_t seen = shared_.room.load();
    const auto has_room = [&copy](const auto& lane) { return lane->has_room(*copy); };
    if (std::any_of(lanes_.begin(), lanes_.end(), has_room)) break;
    shared_.room.wait(seen, std::min(shared_.haste.stop_time(), now() + std::chrono::hours(1)));
  }
  copy->tally() = shared_.accounts.open(batch.spans.size());
  for (const auto& lane : lanes_) lane->push(copy);
}

bool Processor::finished(std::uint64_t ticket) const noexcept {
  return finished_.load(std::memory_order_acquire) >= ticket &&
         std::all_of(lanes_.begin(), lanes_.end(),
                     [ticket](const auto& lane) { return lane->finished(ticket); });
}

bool Processor::request(MonotonicTime deadline, bool stop) {
  ensure_started();
  if (!started_.load(std::memory_order_acquire)) return false;
  const MonotonicTime wanted = shared_.haste.begin(deadline, stop);
  const std::uint64_t step = kTicket + (stop ? kStopBit : 0);
  const std::uint64_t ticket = requested_.fetch_add(step, std::memory_order_acq_rel) + step;
  if (lanes_ready_.load(std::memory_order_acquire)) {
    for (const auto& lane : lanes_) lane->hasten(wanted);
  }
  wake_.notify();
  shared_.room.notify();
  for (bool in_time = true;;) {
    const std::uint32_t seen = shared_.done.load();
    if (finished(ticket) || !in_time) {
      if (!stop) shared_.haste.end(wanted);
      return finished(ticket);
    }
    in_time = now() < deadline;
    if (in_time) shared_.done.wait(seen, deadline);
  }
}

bool Processor::flush(MonotonicTime deadline) {
  // An exporter that flushes from within would wait for itself.
  return !Lane::on_thread_of(shared_) && request(deadline, false);
}

bool Processor::shutdown(MonotonicTime deadline) {
  bool finished = core_.first_state() == nullptr && !started_.load(std::memory_order_acquire);
  if (!finished && !Lane::on_thread_of(shared_)) finished = request(deadline, true);
  std::thread thread;
  {
    const std::scoped_lock lock(start_mutex_);
    started_.store(true, std::memory_order_release);  // never again
    thread = std::move(thread_);
  }
  const bool emptied = stops(finished_.load(std::memory_order_acquire));
  if (thread.joinable()) emptied ? thread.join() : thread.detach();
  // A thread that is left behind may still be at the lanes.
  if (emptied) {
    for (const auto& lane : lanes_) lane->leave();
  }
  shared_.accounts.close();
  return finished;
}

}  // namespace spanwire::trace::detail
