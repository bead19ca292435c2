#include <algorithm>
#include <array>
#include <memory>
#include <string>

#include "lib/journey/state.hpp"
#include "spanwire/base/counters.hpp"
#include "spanwire/journey/misuse.hpp"

namespace spanwire::journey {
namespace {

using trace::SpanContext;
using trace::SpanId;
using trace::WholeEvent;
using trace::WholeSpan;

constexpr trace::Key kAnonymousName = "anonymous";

MonotonicTime time_of(std::int64_t ns) noexcept {
  return MonotonicTime(std::chrono::nanoseconds(ns));
}

// The lists of a whole span, as far as they are not simply there.
struct Gathered {
  std::array<Attributes, kSavedPiecesMax + 4> lists;
  std::array<WholeEvent, 2 * kSavedPiecesMax> events;
  std::size_t list_count = 0;
  std::size_t event_count = 0;

  void list(Attributes attributes) noexcept {
    if (!attributes.empty()) lists[list_count++] = attributes;
  }
  void attributes(const Saved& saved) noexcept {
    for (const SavedPiece* at = saved.first(); at != nullptr; at = at->next) list(at->attributes());
  }
  void event(const WholeEvent& event) noexcept {
    if (event_count < events.size()) events[event_count++] = event;
  }
  void add_events(const Saved& saved) noexcept {
    for (const SavedPiece* at = saved.first(); at != nullptr; at = at->next) {
      event({at->name, time_of(at->at_ns), at->attributes()});
    }
  }
  void into(WholeSpan& span) const noexcept {
    span.attributes = {lists.data(), list_count};
    span.events = {events.data(), event_count};
  }
};

std::string quoted(std::string_view what, trace::Key name) {
  return std::string(what) + " \"" + std::string(name.view()) + "\"";
}

// What makes a span say that it was misused.
class Mark {
 public:
  explicit Mark(Errc kind, trace::Key ended_as = {}) noexcept : kind_(kind) {
    if (kind == Errc::ok) return;
    attributes_[0].value = name(kind);
    attributes_[1].value = ended_as.view();
    count_ = ended_as.empty() ? 1 : 2;
  }
  Attributes attributes() const noexcept { return {attributes_.data(), count_}; }
  void onto(WholeSpan& span) const noexcept {
    if (count_ == 0) return;
    span.status = trace::StatusCode::error;
    span.status_message = describe(kind_);
  }

 private:
  std::array<trace::Attribute, 2> attributes_{
      {{"spanwire.misuse", std::string_view()}, {"spanwire.ended_as", std::string_view()}}};
  std::size_t count_ = 0;
  Errc kind_;
};

}  // namespace

void ThreadContext::begin(RequestState& request, const SpanContext& previous) noexcept {
  request_ = &request;
  const SpanContext& root = request.root();
  const bool own = previous.trace_id() == root.trace_id() && previous.flags() == root.flags() &&
                   !previous.remote();
  last_id_ = own ? previous.span_id() : SpanId();
  handed_over_ = previous;
  announced_ = false;
  depth_ = too_deep_ = 0;
}

void ThreadContext::bind(std::int64_t at_ns) {
  lock.bias();
  identity_ = identity_of_thread();
  owner_.store(identity_.get(), std::memory_order_relaxed);
  span_id_ = request_->id_for_thread();
  start_ns_ = at_ns;
  touched_ns.store(at_ns, std::memory_order_relaxed);
  if (request_->wants(kOff)) announce();
}

void ThreadContext::announce() noexcept {
  if (announced_) return;
  announced_ = true;
  request_->recorder().open_decided();
  request_->announce();
}

SpanContext ThreadContext::context_of(const SpanId& id) const noexcept {
  return {request_->root().trace_id(), id, request_->root().flags()};
}

const OpenSlice* ThreadContext::innermost_recorded() const noexcept {
  for (std::size_t depth = depth_; depth > 0; --depth) {
    if (slice_at(depth - 1).recorded()) return &slice_at(depth - 1);
  }
  return nullptr;
}

bool ThreadContext::anonymous_open() const noexcept {
  for (std::size_t depth = 0; depth < depth_; ++depth) {
    if (slice_at(depth).anonymous) return true;
  }
  return false;
}

SpanId ThreadContext::parent_id() const noexcept {
  const OpenSlice* above = innermost_recorded();
  return above != nullptr ? above->id : span_id_;
}

SpanContext ThreadContext::innermost() const noexcept { return context_of(parent_id()); }

SpanContext ThreadContext::previous() const noexcept {
  for (std::size_t depth = 0; depth < depth_; ++depth) {
    if (slice_at(depth).recorded()) return context_of(slice_at(depth).id);
  }
  return last();
}

// ---- Slices that are open

Errc ThreadContext::start_slice(trace::Key name, Level level, std::int64_t at_ns, bool anonymous) {
  if (depth_ == kSliceDepthMax) {
    ++too_deep_;
    return count_misuse(Errc::slices_too_deep, "a slice is nested too deep and not recorded");
  }
  touched_ns.store(at_ns, std::memory_order_relaxed);
  const bool nested = anonymous && anonymous_open();
  const bool recorded = request_->wants(level);
  const bool first_level = recorded && innermost_recorded() == nullptr;
  if (depth_ != 0 && depth_ > more_.size()) more_.resize(depth_);
  OpenSlice& slice = slice_at(depth_++);
  slice.set_name(name);
  slice.start_ns = at_ns;
  slice.level = level;
  slice.anonymous = anonymous;
  slice.first_level = first_level;
  slice.link = first_level ? last() : SpanContext();
  slice.misuse = nested ? Errc::anonymous_nested : Errc::ok;
  slice.id = SpanId();
  if (recorded) {
    announce();
    slice.id = request_->recorder().open();
  }
  return nested ? count_misuse(slice.misuse, "an anonymous slice begins inside of another one")
                : Errc::ok;
}

Errc ThreadContext::end_slice(trace::Key name, Level level, std::int64_t at_ns,
                              Attributes attributes) {
  if (too_deep_ != 0) {
    --too_deep_;
    return Errc::ok;
  }
  touched_ns.store(at_ns, std::memory_order_relaxed);
  if (depth_ == 0) return count_misuse(Errc::no_open_slice, quoted("no slice is open to be", name));
  OpenSlice& slice = slice_at(depth_ - 1);
  Errc result = Errc::ok;
  trace::Key ended_as;
  if (slice.anonymous) {
    slice.set_name(name);
  } else if (slice.name().view() != name.view()) {
    ended_as = name;
    slice.misuse = Errc::slice_name_mismatch;
    result = count_misuse(slice.misuse, quoted("a slice of another name was ended as", name));
  } else if (slice.level != level) {
    slice.misuse = Errc::slice_level_mismatch;
    result = count_misuse(slice.misuse, quoted("a slice was ended with another level:", name));
  }
  if (slice.recorded()) write_slice(slice, at_ns, attributes, ended_as);
  pop();
  return result;
}

void ThreadContext::pop() noexcept {
  OpenSlice& slice = slice_at(--depth_);
  slice.id = SpanId();
  if (!slice.attributes.empty()) slice.attributes.clear();
}

void ThreadContext::write_slice(OpenSlice& slice, std::int64_t end_ns, Attributes attributes,
                                trace::Key ended_as) {
  // Its own id must not count as its parent.
  const SpanId id = std::exchange(slice.id, SpanId());
  const Mark mark(slice.misuse, ended_as);
  WholeSpan span;
  span.context = context_of(id);
  span.parent = parent_id();
  span.name = slice.name();
  if (span.name.empty()) span.name = kAnonymousName;
  span.start = time_of(slice.start_ns);
  span.end = time_of(end_ns);
  span.tracestate = request_->tracestate();
  mark.onto(span);
  const trace::Link link{slice.link, {}, {}};
  if (slice.link.valid()) span.links = {&link, 1};
  if (slice.attributes.empty() && events_.empty()) {
    const Attributes lists[] = {attributes, mark.attributes()};
    span.attributes = lists;
    request_->recorder().write(span);
  } else {
    const Saved events = events_.take(slice.start_ns, end_ns);
    Gathered gathered;
    gathered.attributes(slice.attributes);
    gathered.list(attributes);
    gathered.list(mark.attributes());
    gathered.add_events(events);
    gathered.into(span);
    request_->recorder().write(span);
  }
  if (slice.first_level) last_id_ = id;
}

// ---- Complete slices that are not plain

Errc ThreadContext::write_with_events(WholeSpan& span) {
  if (span.end == MonotonicTime{}) span.end = request_->recorder().now();
  if (span.start == MonotonicTime{}) span.start = span.end;
  const bool backwards = span.end < span.start;
  const Mark mark(backwards ? Errc::slice_ends_before_start : Errc::ok);
  mark.onto(span);
  const Saved events =
      events_.take(span.start.time_since_epoch().count(), span.end.time_since_epoch().count());
  Gathered gathered;
  for (const Attributes& list : span.attributes) gathered.list(list);
  gathered.list(mark.attributes());
  for (const WholeEvent& event : span.events) gathered.event(event);
  gathered.add_events(events);
  gathered.into(span);
  write(span);
  return backwards ? count_misuse(Errc::slice_ends_before_start,
                                  quoted("a slice ends before it starts:", span.name))
                   : Errc::ok;
}

void ThreadContext::add_event(trace::Key name, std::int64_t at_ns, Attributes attributes) {
  touched_ns.store(at_ns, std::memory_order_relaxed);
  events_.add(name, at_ns, attributes);
}

// ---- Rows of tables

bool ThreadContext::add_row(std::span<const SpanId> ids, std::int64_t at_ns,
                            trace::SpanRow& row) noexcept {
  if (depth_ != 0 || !events_.empty()) return false;
  announce();
  touched_ns.store(at_ns, std::memory_order_relaxed);
  row.parent = context_of(span_id_);
  row.previous = last();
  row.tracestate = request_->tracestate();
  last_id_ = ids.back();
  return true;
}

bool ThreadContext::end_row(trace::Key name, Level level, std::int64_t at_ns, SpanId& id,
                            trace::SpanRow& row) noexcept {
  if (depth_ != 1 || too_deep_ != 0 || !events_.empty()) return false;
  OpenSlice& slice = first_;
  const bool fits = slice.recorded() && slice.attributes.empty() && slice.misuse == Errc::ok &&
                    slice.start_ns <= at_ns;
  const bool matches =
      slice.anonymous || (slice.level == level && slice.name().view() == name.view());
  if (!fits || !matches) return false;
  touched_ns.store(at_ns, std::memory_order_relaxed);
  id = slice.id;
  row.parent = context_of(span_id_);
  row.previous = slice.link;
  row.start = time_of(slice.start_ns);
  row.tracestate = request_->tracestate();
  last_id_ = id;
  pop();
  return true;
}

bool ThreadContext::add_to_slice(Attributes attributes) {
  for (std::size_t depth = depth_; depth > 0; --depth) {
    if (!slice_at(depth - 1).recorded()) continue;
    slice_at(depth - 1).attributes.add(attributes);
    return true;
  }
  if (depth_ == 0) add_to_thread(attributes);
  return depth_ != 0;
}

// ---- The end

void ThreadContext::close(const ThreadEnd& end) {
  while (depth_ != 0) {
    OpenSlice& slice = slice_at(depth_ - 1);
    if (end.slices != Errc::ok) slice.misuse = end.slices;
    if (slice.recorded()) write_slice(slice, end.at_ns, {}, {});
    pop();
  }
  if (announced_) write_thread(end);
  events_.clear();
  attributes_.clear();
  owner_.store(nullptr, std::memory_order_relaxed);
  identity_.reset();
}

void ThreadContext::close_and_begin(std::int64_t at_ns) {
  const SpanContext before = previous();
  close({at_ns});
  begin(*request_, before);
}

void ThreadContext::write_thread(const ThreadEnd& end) {
  const Mark mark(end.thread);
  WholeSpan span;
  span.context = context_of(span_id_);
  span.parent = request_->root().span_id();
  span.parent_remote = request_->copy();
  span.name = identity_->span_name();
  span.start = time_of(start_ns_);
  span.end = time_of(end.at_ns);
  span.tracestate = request_->tracestate();
  mark.onto(span);
  if (!end.information.empty()) span.status = trace::StatusCode::error;
  if (attributes_.empty() && events_.empty()) {
    const Attributes lists[] = {identity_->attributes(), end.information, mark.attributes()};
    span.attributes = lists;
    return request_->recorder().write(span);
  }
  Gathered gathered;
  gathered.list(identity_->attributes());
  gathered.attributes(attributes_);
  gathered.list(end.information);
  gathered.list(mark.attributes());
  gathered.add_events(events_);
  gathered.into(span);
  request_->recorder().write(span);
}

}  // namespace spanwire::journey
