#include "spanwire/trace/span.hpp"

#include <cstring>

#include "lib/trace/core.hpp"
#include "lib/trace/record_writer.hpp"
#include "lib/trace/recording.hpp"
#include "spanwire/base/counters.hpp"
#include "spanwire/base/random.hpp"
#include "spanwire/trace/tracer.hpp"

namespace spanwire::trace {
namespace detail {

constinit OpenRecord gone_record{};

namespace {

constinit NamedCounter not_watched("spanwire.trace.spans_not_watched");
constexpr const char kPartial[] = "spanwire.partial";

bool sampled(const OpenRecord& record) noexcept {
  return (record.header.flags & kFlagSampled) != 0;
}

// Into the calling thread's ring; false, and the reason, if there is no room.
[[gnu::always_inline]] inline bool enqueue(Core& core, ThreadState& state, const OpenRecord& record,
                                           std::int64_t end_ns, bool external) noexcept {
  const std::uint32_t used = record.used();
  const std::size_t bytes = sizeof(RecordHeader) + (external ? sizeof(ExternalItems) : used);
  std::byte* const to = reserve_entry(core, state, bytes);
  if (to == nullptr) [[unlikely]]
    return false;
  if (!external) {
    // Header and items are one piece.
    std::memcpy(to, static_cast<const void*>(&record.header), bytes);
  } else {
    const ExternalItems items{record.items, record.capacity()};
    std::memcpy(to, &record.header, sizeof record.header);
    std::memcpy(to + sizeof record.header, &items, sizeof items);
  }
  auto& header = *reinterpret_cast<RecordHeader*>(to);
  complete_header(record, core.budget(), header);
  header.items_bytes = used;
  header.entry_bytes = static_cast<std::uint32_t>(bytes);
  header.entry_type = external ? EntryType::external : EntryType::record;
  header.end_ns = end_ns;
  publish_entry(core, state, to, bytes);
  return true;
}

// The record's provider is not the active one: it was shut down, or the span is a forked child's
// copy of one that the parent exports.
void discard(OpenRecord& record) noexcept {
  Core& core = *record.core;
  if (!core.of_this_process()) return;
  if (record.external()) core.arena().give(record.items, record.capacity());
  if (sampled(record)) core.lose_ended(LossReason::shut_down);
}

// A span that is not sampled is only watched: whether it ended so that it is exported.
bool is_kept(Core& core, ThreadState& state, const OpenRecord& record,
             std::int64_t end_ns) noexcept {
  const auto status = static_cast<StatusCode>(record.header.status);
  if (!core.keeps(status, end_ns - record.header.start_ns)) return false;
  core.processor().ensure_started();
  state.kept.add();
  return true;
}

// Whatever has become of the provider and of the thread, and records in the arena.
[[gnu::noinline]] void end_slowly(OpenRecord& record, std::int64_t end_ns) noexcept {
  Core& core = *record.core;
  if (active_core.load(std::memory_order_acquire) != &core) return discard(record);
  ThreadState* state = state_in(core);
  if (state == nullptr) {
    if (record.external()) core.arena().give(record.items, record.capacity());
    if (sampled(record)) core.lose_ended(LossReason::too_many_threads);
    return;
  }
  const bool wanted = sampled(record) || is_kept(core, *state, record, end_ns);
  if ((!wanted || !enqueue(core, *state, record, end_ns, record.external())) && record.external()) {
    core.arena().give(record.items, record.capacity());
  }
  state->give_slot(core.slab(), record);
  release_if_ending(state);
}

[[gnu::always_inline]] inline void end_record(OpenRecord& record, std::int64_t end_ns) noexcept {
  Core& core = *record.core;
  ThreadState* const state = state_of_thread;
  if (state == nullptr || state->core != &core ||
      active_core.load(std::memory_order_acquire) != &core || !sampled(record) || record.external())
      [[unlikely]] {
    return end_slowly(record, end_ns);
  }
  enqueue(core, *state, record, end_ns, false);
  state->give_slot(core.slab(), record);
}

}  // namespace

void end(OpenRecord& record, std::int64_t end_ns) noexcept { end_record(record, end_ns); }

namespace {

// A place for a span that is to be recorded; null, and counted, if there is none.
[[gnu::always_inline]] inline OpenRecord* open_record(Core& core, ThreadState& state) noexcept {
  state.recorded.add();
  return take_record(core, state);
}

}  // namespace
}  // namespace detail

inline bool Span::writable() const noexcept {
  if (record_ != gone()) [[likely]]
    return true;
  if (detail::Core* core = detail::latest_core()) core->count_misuse();
  return false;
}

// The record of a span that is gone has room for nothing: only the long way has to look for it.
void Span::set_text(Key key, std::string_view text) noexcept {
  if (!detail::put_text(*record_, key, text)) set_slowly(key, text);
}

void Span::set_word(Key key, ValueType type, std::int64_t word) noexcept {
  if (detail::put_word(*record_, key, type, word)) return;
  set_slowly(key, AttributeValue::of_word(type, word));
}

void Span::set_slowly(Key key, AttributeValue value) noexcept {
  if (writable()) detail::set_attribute(*record_, key, value);
}

void Span::set_record(std::span<const Attribute> attributes) noexcept {
  if (writable()) detail::set_attributes(*record_, attributes);
}

void Span::add_event_record(Key event, std::span<const Attribute> attributes,
                            MonotonicTime at) noexcept {
  if (!writable()) return;
  const std::int64_t time_ns = detail::given_or_now(at, *record_->core);
  if (attributes.empty() && detail::put_event(*record_, event, time_ns)) return;
  detail::add_event(*record_, event, attributes, time_ns);
}

void Span::add_link_record(const Link& link) noexcept {
  if (writable()) detail::add_link(*record_, link);
}

void Span::set_status_record(StatusCode status, std::string_view message) noexcept {
  if (writable()) detail::set_status(*record_, status, message);
}

void Span::update_name_record(Key span_name) noexcept {
  if (writable()) detail::set_name(*record_, span_name);
}

void Span::end_record(MonotonicTime at) noexcept {
  if (!writable()) return;
  detail::OpenRecord& record = *record_;
  record_ = gone();
  std::int64_t end_ns = detail::given_or_now(at, *record.core);
  if (end_ns < record.header.start_ns) [[unlikely]] {
    end_ns = record.header.start_ns;
    detail::set_attribute(record, "spanwire.misuse", "end before start");
    record.core->count_misuse();
  }
  detail::end_record(record, end_ns);
}

namespace detail {

SamplingResult ask(const Core& core, const Start& start, const TraceId& trace_id) noexcept {
  SamplingInput input{start.parent, trace_id, start.name.view(), start.kind};
  input.watched = core.watches();
  if (start.options != nullptr) {
    input.attributes = start.options->attributes;
    input.links = start.options->links;
  }
  return core.sampler()->sample(input);
}

namespace {

[[gnu::always_inline]] inline void fill_header(RecordHeader& header, const Start& start,
                                               const SpanContext& span, SpanId parent,
                                               bool parent_remote) noexcept {
  header.kind = static_cast<std::uint8_t>(start.kind);
  header.flags = span.flags();
  header.trace_id = span.trace_id();
  header.span_id = span.span_id();
  header.parent_span_id = parent;
  header.parent_remote = parent_remote ? 1 : 0;
  header.scope = &start.scope;
}

void fill(OpenRecord& record, Core& core, const Start& start, const Choice& choice) noexcept {
  begin_record(record, core, start.name);
  set_tracestate(record, choice.tracestate(core, start.parent));
  const SpanContext& above = start.parent.span();
  const bool root = !above.valid();
  fill_header(record.header, start, choice.context(), root ? SpanId() : above.span_id(),
              !root && above.remote());
  // First, so that it has room in any case.
  if (!sampled(record)) [[unlikely]]
    set_attribute(record, kPartial, true);
  const MonotonicTime at = start.options == nullptr ? start.at : start.options->start;
  record.header.start_ns = given_or_now(at, core);
  if (start.options == nullptr) return;
  set_attributes(record, start.options->attributes);
  for (const Link& link : start.options->links) add_link(record, link);
}

[[gnu::noinline]] OpenRecord* record_span(Core& core, ThreadState* state, const Start& start,
                                          const Choice& choice) noexcept {
  core.processor().ensure_started();
  if (state == nullptr) {
    core.lose_unopened(LossReason::too_many_threads);
    return nullptr;
  }
  OpenRecord* record = open_record(core, *state);
  release_if_ending(state);
  if (record == nullptr) return nullptr;
  fill(*record, core, start, choice);
  if (core.sampler() != nullptr) set_attributes(*record, choice.sampling.attributes);
  return record;
}

// An unsampled span that may be kept for how it ends.  Without a place for it, it is as any other.
[[gnu::noinline]] OpenRecord* watch_span(Core& core, ThreadState* state, const Start& start,
                                         const Choice& choice) noexcept {
  OpenRecord* record = state != nullptr ? state->take_slot(core.slab()) : nullptr;
  if (record == nullptr) {
    not_watched.add();
    return nullptr;
  }
  fill(*record, core, start, choice);
  if (core.sampler() != nullptr) set_attributes(*record, choice.sampling.attributes);
  return record;
}

// The record, or null; in any case the choice's ids.
inline OpenRecord* start_span(Core& core, const Start& start, Choice& choice) noexcept {
  ThreadState* state = state_in(core);
  choose(core, state != nullptr ? state->random : Random::of_thread(), start, choice);
  if (choice.recorded) return record_span(core, state, start, choice);
  if (state != nullptr) state->unrecorded.add();
  const bool watched = core.watches() && !choice.sampling.noise;
  OpenRecord* record = watched ? watch_span(core, state, start, choice) : nullptr;
  release_if_ending(state);
  return record;
}

// `span` under a sampled parent, about which nobody is asked and that has no options.
[[gnu::always_inline]] inline OpenRecord* record_usual(Core& core, ThreadState& state,
                                                       const Start& start,
                                                       const SpanContext& span) noexcept {
  core.processor().ensure_started();
  OpenRecord* const record = open_record(core, state);
  if (record == nullptr) [[unlikely]]
    return nullptr;
  begin_record(*record, core, start.name);
  if (start.parent.block() != nullptr) set_tracestate(*record, start.parent.tracestate());
  const SpanContext& above = start.parent.span();
  fill_header(record->header, start, span, above.span_id(), above.remote());
  record->header.start_ns = given_or_now(start.at, core);
  return record;
}

}  // namespace
}  // namespace detail

bool Tracer::asks_sampler_of(const detail::Core& core, const Context& parent) noexcept {
  return core.sampler() != nullptr && !detail::dropped_unasked(core, parent.span());
}

Span Tracer::start_in(detail::Core& core, const Context& parent, Key name,
                      const SpanOptions& options) const noexcept {
  const detail::Start start{parent, name, options.kind, &options, *scope_};
  detail::Choice choice;
  detail::OpenRecord* record = detail::start_span(core, start, choice);
  return Span(choice.trace_id, choice.span_id, choice.flags, record);
}

Span Tracer::start_plain(detail::Core& core, const Context& parent, Key name, SpanKind kind,
                         MonotonicTime at) const noexcept {
  const SpanContext& above = parent.span();
  detail::ThreadState* const state = detail::state_of_thread;
  const bool unasked =
      above.sampled() ? core.records_sampled_children() : core.drops_unsampled_children();
  if (!unasked || !above.valid() || state == nullptr || state->core != &core) [[unlikely]] {
    return start_asking(core, parent, name, kind, at);
  }
  const SpanId id = SpanId::generate(state->random);
  // Most spans of a process that samples one in a hundred: nothing but a number is made.
  if (!above.sampled()) {
    state->unrecorded.add();
    return Span(above.trace_id(), id, above.flags(), nullptr);
  }
  const detail::Start start{parent, name, kind, nullptr, *scope_, at};
  const SpanContext span = above.child(id, true);
  return Span(span.trace_id(), span.span_id(), span.flags(),
              detail::record_usual(core, *state, start, span));
}

[[gnu::noinline]] Span Tracer::start_asking(detail::Core& core, const Context& parent, Key name,
                                            SpanKind kind, MonotonicTime at) const noexcept {
  const detail::Start start{parent, name, kind, nullptr, *scope_, at};
  detail::Choice choice;
  detail::OpenRecord* record = detail::start_span(core, start, choice);
  return Span(choice.trace_id, choice.span_id, choice.flags, record);
}

}  // namespace spanwire::trace
