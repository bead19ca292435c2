// Recorder: for spans whose maker keeps what there is to know of them until they are over, such as
// the slices of a scheduler.  Nothing is held open for them but what the maker holds: many may be
// open at a time, and each is written once, in one piece, into the calling thread's ring.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "spanwire/base/clock.hpp"
#include "spanwire/trace/attribute.hpp"
#include "spanwire/trace/context.hpp"
#include "spanwire/trace/span_context.hpp"
#include "spanwire/trace/span_record.hpp"
#include "spanwire/trace/tracer.hpp"

namespace spanwire::trace {

struct WholeEvent {
  Key name;
  MonotonicTime at{};
  std::span<const Attribute> attributes{};
};

// A span that is over.  Everything is borrowed until write() returns.
struct WholeSpan {
  // Not an aggregate: compilers clear those as a whole before they set their members.
  WholeSpan() noexcept {}

  SpanContext context;  // its own
  SpanId parent;        // zero for the root of a trace
  bool parent_remote = false;
  bool batch = false;  // may have SpanLimits::batch_links_max links
  SpanKind kind = SpanKind::internal;
  StatusCode status = StatusCode::unset;
  Key name;
  MonotonicTime start{};
  MonotonicTime end{};  // one before `start` counts as the start
  // A list of lists: they lie where their makers keep them.  Of equal keys the last counts.
  std::span<const std::span<const Attribute>> attributes{};
  std::span<const Link> links{};
  std::span<const WholeEvent> events{};
  std::string_view tracestate{};
  std::string_view status_message{};  // with StatusCode::error
};

namespace detail {
class PlainWriter;
}
struct Decided;

// Many spans at once, for a step of a scheduler: each row is a request, each column a slice of it.
// What is the same for all rows is stored once.
struct SpanColumn {
  Key name;
  MonotonicTime start{};
  MonotonicTime end{};
  std::span<const Attribute> attributes{};
};
struct SpanRow {
  // Of all spans of the row; their trace id and flags are its own.
  SpanContext parent;
  // What the first span links to, if valid.  Each further one links to the one before it.
  SpanContext previous;
  std::string_view tracestate{};
  // One for each column, from open().
  std::span<const SpanId> ids{};
  // Unless zero, of the first span instead of its column's.
  MonotonicTime start{};
};

// A value of two pointers, made by decide(); the default records nothing.  Safe from any thread.
// Outlives its provider: what is written after shutdown is counted as lost, and in a forked child
// what was opened by the parent is left to the parent.
class Recorder {
 public:
  Recorder() noexcept = default;

  bool recording() const noexcept { return core_ != nullptr; }
  // The clock of the provider; only while recording.
  MonotonicTime now() const noexcept;

  // The id of a new span, which counts as open until it is written; only while recording.
  SpanId open() const noexcept;
  // The same for many.
  void open(std::span<SpanId> ids) const noexcept;
  // The same without an id: for the span that was decided on.
  void open_decided() const noexcept;
  // Ends what open() began.  Never fails, blocks or locks; what does not fit is counted, as for
  // Span::end().
  void write(const WholeSpan& span) const noexcept;
  // Both at once, for a span with a new id in the trace of `span.context`, which becomes its own.
  void open_and_write(WholeSpan& span) const noexcept;
  // One span for each row and column, kind internal.
  void write(std::span<const SpanColumn> columns, std::span<const SpanRow> rows) const noexcept;

  friend bool operator==(const Recorder& a, const Recorder& b) noexcept {
    return a.core_ == b.core_ && a.scope_ == b.scope_;
  }

 private:
  friend class detail::PlainWriter;
  friend Decided decide(const Tracer& tracer, const Context& parent, Key name, SpanKind kind,
                        std::span<const Attribute> attributes) noexcept;
  Recorder(detail::Core& core, const Scope& scope) noexcept : core_(&core), scope_(&scope) {}

  detail::Core* core_ = nullptr;
  const Scope* scope_ = nullptr;
};

// What the sampler made of a span, and through it of all that will be written under it.
struct Decided {
  // Without an active provider that of the parent.
  SpanContext context;
  // Records nothing if the span is not wanted.
  Recorder recorder;
  // Borrowed from the parent, or from the sampler until its next decision on this thread.
  std::string_view tracestate;
  std::span<const Attribute> attributes;  // the sampler's own
};

// Asks the sampler once.  The span itself is opened by open_decided().
Decided decide(const Tracer& tracer, const Context& parent, Key name,
               SpanKind kind = SpanKind::internal,
               std::span<const Attribute> attributes = {}) noexcept;

}  // namespace spanwire::trace
