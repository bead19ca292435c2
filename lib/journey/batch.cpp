#include "spanwire/journey/batch.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <new>
#include <vector>

#include "lib/journey/lifetime.hpp"
#include "lib/journey/registry.hpp"
#include "spanwire/base/pool.hpp"
#include "spanwire/base/random.hpp"
#include "spanwire/journey/by_id.hpp"
#include "spanwire/journey/misuse.hpp"

namespace spanwire::journey {
namespace {

using trace::SpanColumn;
using trace::SpanId;
using trace::SpanRow;

constexpr std::size_t kRowsMax = 128;
constexpr std::size_t kColumnsMax = 16;

bool nothing_recorded() noexcept { return recorded_requests.load(std::memory_order_relaxed) == 0; }

void keep_first(Errc& first, Errc error) noexcept {
  if (first == Errc::ok) first = error;
}

std::int64_t ns_of(MonotonicTime time) noexcept { return time.time_since_epoch().count(); }

// Rows on their way into one table.
class Rows {
 public:
  explicit Rows(std::span<const SpanColumn> columns) noexcept : columns_(columns) {}
  ~Rows() { flush(); }

  // Room for the next row and its ids, in tables of that recorder.
  SpanRow& next(const trace::Recorder& recorder) noexcept {
    if (count_ == kRowsMax || !(recorder == recorder_)) flush();
    recorder_ = recorder;
    rows_[count_] = SpanRow();
    rows_[count_].ids = {ids_.data() + count_ * columns_.size(), columns_.size()};
    return rows_[count_];
  }
  std::span<SpanId> ids() noexcept {
    return {ids_.data() + count_ * columns_.size(), columns_.size()};
  }
  void keep() noexcept { ++count_; }
  void flush() noexcept {
    if (count_ != 0) recorder_.write(columns_, {rows_.data(), count_});
    count_ = 0;
  }

 private:
  const std::span<const SpanColumn> columns_;
  trace::Recorder recorder_;
  std::size_t count_ = 0;
  std::array<SpanRow, kRowsMax> rows_;
  std::array<SpanId, kRowsMax * kColumnsMax> ids_;
};

// A batch of complete slices: the columns that a request of `level` records.
class SliceBatch {
 public:
  SliceBatch(std::span<const Slice> slices, MonotonicTime now, Level level) noexcept {
    MonotonicTime last = now;
    for (const Slice& slice : slices) {
      const MonotonicTime start = slice.start != MonotonicTime{} ? slice.start : last;
      const MonotonicTime end = slice.end != MonotonicTime{} ? slice.end : now;
      timed_[count_] = {slice.name, slice.level, start, end, slice.attributes};
      good_ = good_ && start <= end;
      last = end;
      ++count_;
      if (level != kOff && slice.level <= level) {
        columns_[column_count_++] = {slice.name, start, end, slice.attributes};
      }
    }
    level_ = level;
    end_ns_ = ns_of(last);
  }

  std::span<const SpanColumn> columns() const noexcept { return {columns_.data(), column_count_}; }
  Errc add(ThreadContext& thread, Rows& rows) {
    const RequestState& request = thread.request();
    if (!good_ || request.level() != level_) return one_by_one(thread);
    if (column_count_ == 0) return Errc::ok;
    SpanRow& row = rows.next(request.recorder());
    request.recorder().open(rows.ids());
    if (thread.add_row(row.ids, end_ns_, row)) {
      rows.keep();
      return Errc::ok;
    }
    // The ids count as opened: they are used, one by one.
    return one_by_one(thread, row.ids);
  }

 private:
  Errc one_by_one(ThreadContext& thread, std::span<const SpanId> ids = {}) {
    Errc first = Errc::ok;
    std::size_t next_id = 0;
    for (std::size_t i = 0; i < count_; ++i) {
      const bool has_id = next_id < ids.size() && timed_[i].level <= level_;
      keep_first(first, thread.add_slice(timed_[i], has_id ? ids[next_id++] : SpanId()));
    }
    return first;
  }

  std::array<Slice, kColumnsMax> timed_;
  std::array<SpanColumn, kColumnsMax> columns_;
  std::size_t count_ = 0;
  std::size_t column_count_ = 0;
  Level level_ = kOff;
  bool good_ = true;
  std::int64_t end_ns_ = 0;
};

// The first one of a batch that is recorded, locked.
ThreadContext* first_recording(std::span<const Request> requests, MonotonicTime at) {
  for (const Request& request : requests) {
    if (ThreadContext* thread = RequestState::lock_thread(request, at)) return thread;
  }
  return nullptr;
}

}  // namespace

Errc slice_batch(std::span<Request> requests, std::span<const Slice> slices) {
  if (nothing_recorded()) return Errc::ok;
  const MonotonicTime begin = slices.empty() ? MonotonicTime() : slices.front().start;
  ThreadContext* sample = first_recording(requests, begin);
  if (sample == nullptr) return Errc::ok;
  const MonotonicTime now = sample->request().recorder().now();
  const Level level = sample->request().level();
  sample->lock.unlock();
  Errc first = Errc::ok;
  for (; !slices.empty(); slices = slices.subspan(std::min(slices.size(), kColumnsMax))) {
    SliceBatch batch(slices.first(std::min(slices.size(), kColumnsMax)), now, level);
    Rows rows(batch.columns());
    for (const Request& request : requests) {
      ThreadContext* thread = RequestState::lock_thread(request, begin);
      if (thread == nullptr) {
        keep_first(first, RequestState::missing(request));
        continue;
      }
      keep_first(first, batch.add(*thread, rows));
      thread->lock.unlock();
    }
  }
  return first;
}

namespace {

// One member's slice ends.
Errc end_member(const BatchMember& member, trace::Key name, const SliceEnd& end, Rows& rows) {
  if (member.request == nullptr) return Errc::ok;
  Request& request = *member.request;
  SliceEnd own = end;
  own.thread_finish = member.finished;
  own.auto_next_anonymous = !member.finished;
  ThreadContext* thread = RequestState::lock_thread(request);
  if (thread == nullptr) return request.slice_end(name, own);
  SpanRow& row = rows.next(thread->request().recorder());
  const bool as_row = thread->end_row(name, end.level, ns_of(end.at), rows.ids()[0], row);
  if (as_row) {
    rows.keep();
    if (!member.finished) {
      thread->start_slice({}, end.level, ns_of(end.at), true);
      thread->lock.unlock();
      return Errc::ok;
    }
    end_thread(*thread, {ns_of(end.at)});
    return Errc::ok;
  }
  thread->lock.unlock();
  return request.slice_end(name, own);
}

}  // namespace

Errc slice_end_batch(trace::Key name, std::span<const BatchMember> members, const SliceEnd& end) {
  if (nothing_lives()) return Errc::ok;
  SliceEnd timed = end;
  if (timed.at == MonotonicTime{}) {
    for (const BatchMember& member : members) {
      if (member.request == nullptr) continue;
      ThreadContext* sample = RequestState::lock_thread(*member.request);
      if (sample == nullptr) continue;
      timed.at = sample->request().recorder().now();
      sample->lock.unlock();
      break;
    }
  }
  const SpanColumn column{name, timed.at, timed.at, timed.attributes};
  Rows rows({&column, 1});
  Errc first = Errc::ok;
  for (const BatchMember& member : members) {
    keep_first(first, end_member(member, name, timed, rows));
  }
  return first;
}

Errc event_batch(trace::Key name, std::span<Request> requests, Level level, MonotonicTime at,
                 Attributes attributes) {
  if (nothing_recorded() || requests.empty()) return Errc::ok;
  constexpr std::size_t kAttributesMax = kSavedPiecesMax;
  const std::string digits = trace::SpanId::generate(Random::of_thread()).hex().str().substr(8);
  std::vector<trace::Attribute> all;
  all.reserve(2 + std::min(attributes.size(), kAttributesMax));
  all.push_back({"bid", digits});
  all.push_back({"batch_size", requests.size()});
  all.insert(all.end(), attributes.begin(),
             attributes.begin() +
                 static_cast<std::ptrdiff_t>(std::min(attributes.size(), kAttributesMax)));
  Errc first = Errc::ok;
  for (Request& request : requests) {
    if (at == MonotonicTime{}) {
      if (ThreadContext* thread = RequestState::lock_thread(request)) {
        at = thread->request().recorder().now();
        thread->lock.unlock();
      }
    }
    keep_first(first, request.event(name, level, at, all));
  }
  return first;
}

namespace {

// Of the pool: as many links as there are requests.
class Links {
 public:
  explicit Links(std::size_t most)
      : bytes_(std::max<std::size_t>(most, 1) * sizeof(trace::Link)),
        links_(static_cast<trace::Link*>(pool_allocate(bytes_))) {}
  ~Links() { pool_free(links_, bytes_); }
  Links(const Links&) = delete;
  Links& operator=(const Links&) = delete;

  void add(const trace::SpanContext& context) noexcept {
    new (links_ + count_++) trace::Link{context, {}, {}};
  }
  std::span<const trace::Link> all() const noexcept { return {links_, count_}; }

 private:
  const std::size_t bytes_;
  trace::Link* const links_;
  std::size_t count_ = 0;
};

}  // namespace

trace::SpanContext batch_span(const Slice& step, std::span<const Request> requests) {
  if (nothing_recorded()) return {};
  Links links(requests.size());
  trace::Recorder recorder;
  for (const Request& request : requests) {
    ThreadContext* thread = RequestState::lock_thread(request);
    if (thread == nullptr) continue;
    if (thread->request().wants(step.level)) {
      // What is linked to will be there.
      thread->announce();
      recorder = thread->request().recorder();
      links.add(thread->request().root());
    }
    thread->lock.unlock();
  }
  if (links.all().empty()) return {};
  const trace::Attribute size[] = {{"batch_size", requests.size()}};
  const Attributes lists[] = {size, identity_of_thread()->attributes(), step.attributes};
  trace::WholeSpan span;
  span.context = trace::SpanContext(trace::TraceId::generate(Random::of_thread()), recorder.open(),
                                    trace::kFlagSampled | trace::kFlagRandom);
  span.batch = true;
  span.name = step.name;
  span.end = step.end != MonotonicTime{} ? step.end : recorder.now();
  span.start = step.start != MonotonicTime{} ? step.start : span.end;
  span.attributes = lists;
  span.links = links.all();
  span.events = step.events;
  recorder.write(span);
  return span.context;
}

namespace by_id {

Errc slice_batch(trace::Key name, std::span<const Member> members, MonotonicTime at) {
  if (nothing_lives()) return Errc::ok;
  std::vector<Request> requests(members.size());
  std::vector<BatchMember> found;
  found.reserve(members.size());
  for (std::size_t i = 0; i < members.size(); ++i) {
    requests[i] = find(members[i].rid);
    found.push_back({&requests[i], members[i].finished});
  }
  return slice_end_batch(name, found, {.at = at});
}

Errc event_batch(trace::Key name, std::span<const std::string_view> rids, MonotonicTime at,
                 Attributes attributes) {
  if (nothing_recorded()) return Errc::ok;
  std::vector<Request> requests;
  requests.reserve(rids.size());
  bool open = true;
  for (const std::string_view rid : rids) {
    requests.push_back(find(rid));
    if (ThreadContext* thread = RequestState::lock_thread(requests.back())) {
      open = open && thread->slice_open();
      thread->lock.unlock();
    }
  }
  const Errc result = journey::event_batch(name, requests, kImportant, at, attributes);
  if (open) return result;
  return count_misuse(Errc::event_without_slice, "a batch event, and a request has no open slice");
}

}  // namespace by_id

}  // namespace spanwire::journey
