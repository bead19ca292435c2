// Span: one piece of work with a beginning and an end.  A small move-only value that travels with
// the work; not recorded, it is a span context and nothing else.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>
#include <utility>

#include "spanwire/base/clock.hpp"
#include "spanwire/trace/attribute.hpp"
#include "spanwire/trace/span_context.hpp"
#include "spanwire/trace/span_record.hpp"

namespace spanwire::trace {

namespace detail {
struct OpenRecord;
// Stands for a record that was ended or moved away: what tells misuse from a span that was never
// recorded, at no cost for the latter.  Has no room for anything.
extern OpenRecord gone_record;
}  // namespace detail

// One thread at a time; may be ended on another thread than it was started on, and in another
// process after a fork (where that has no effect: the parent exports it).  No function fails,
// blocks, locks, or allocates beyond the provider's slab, ring and arena; what does not fit is
// counted. After end(), and after the span was moved from, every call is ignored and counted.
class Span {
 public:
  // Records nothing and belongs to no trace.
  Span() noexcept = default;
  Span(Span&& other) noexcept : context_(other.context_), record_(other.record_) {
    if (record_ != nullptr) other.record_ = gone();
  }
  Span& operator=(Span&& other) noexcept {
    if (this == &other) return *this;
    if (recording()) end_record({});
    context_ = other.context_;
    record_ = other.record_;
    if (record_ != nullptr) other.record_ = gone();
    return *this;
  }
  // Ends the span.
  ~Span() {
    if (recording()) end_record({});
  }

  // What calls made from within this span have as their parent; stays readable after end().  When
  // nothing is traced it is the parent's own, so that passing it on forwards what was received.
  const SpanContext& context() const noexcept { return context_; }
  bool recording() const noexcept { return record_ != nullptr && record_ != gone(); }

  // The last value of a key wins.  An empty key is left out and counted in the span.
  Span& set(Key key, AttributeValue value) noexcept {
    if (record_ == nullptr) return *this;
    if (value.is_word()) {
      set_word(key, value.type(), value.word());
    } else if (value.type() == ValueType::string) {
      set_text(key, value.text());
    } else {
      set_slowly(key, value);
    }
    return *this;
  }
  Span& set(std::span<const Attribute> attributes) noexcept {
    if (record_ != nullptr) set_record(attributes);
    return *this;
  }
  Span& set(std::initializer_list<Attribute> attributes) noexcept {
    return set(std::span<const Attribute>(attributes.begin(), attributes.size()));
  }

  // `at` zero: now, which reads the clock.
  Span& add_event(Key event, std::span<const Attribute> attributes = {},
                  MonotonicTime at = {}) noexcept {
    if (record_ != nullptr) add_event_record(event, attributes, at);
    return *this;
  }
  Span& add_event(Key event, std::initializer_list<Attribute> attributes,
                  MonotonicTime at = {}) noexcept {
    return add_event(event, std::span<const Attribute>(attributes.begin(), attributes.size()), at);
  }
  // The event "exception" of the semantic conventions.
  Span& add_exception(std::string_view type, std::string_view message) noexcept {
    return add_event("exception", {{"exception.type", type}, {"exception.message", message}});
  }

  // A link to no span is ignored.
  Span& add_link(const Link& link) noexcept {
    if (record_ != nullptr) add_link_record(link);
    return *this;
  }

  // ok is final, error replaces unset and error, unset changes nothing.  The message goes with
  // error only.
  Span& set_status(StatusCode status, std::string_view message = {}) noexcept {
    if (record_ != nullptr) set_status_record(status, message);
    return *this;
  }
  Span& update_name(Key span_name) noexcept {
    if (record_ != nullptr) update_name_record(span_name);
    return *this;
  }

  // `at` zero: now.  A time before the span's start counts as the start, and the span gets the
  // attribute spanwire.misuse = "end before start".
  void end(MonotonicTime at = {}) noexcept {
    if (record_ != nullptr) end_record(at);
  }

 private:
  friend class Tracer;

  // Not recorded.
  explicit Span(const SpanContext& context) noexcept : context_(context) {}
  Span(const TraceId& trace_id, const SpanId& span_id, std::uint8_t flags,
       detail::OpenRecord* record) noexcept
      : context_(trace_id, span_id, flags), record_(record) {}

  static detail::OpenRecord* gone() noexcept { return &detail::gone_record; }
  // Counts the misuse if there is nothing to write to any more.
  bool writable() const noexcept;

  void set_text(Key key, std::string_view text) noexcept;
  void set_word(Key key, ValueType type, std::int64_t word) noexcept;
  void set_record(std::span<const Attribute> attributes) noexcept;
  void set_slowly(Key key, AttributeValue value) noexcept;
  void add_event_record(Key event, std::span<const Attribute> attributes,
                        MonotonicTime at) noexcept;
  void add_link_record(const Link& link) noexcept;
  void set_status_record(StatusCode status, std::string_view message) noexcept;
  void update_name_record(Key span_name) noexcept;
  void end_record(MonotonicTime at) noexcept;

  SpanContext context_;
  detail::OpenRecord* record_ = nullptr;
};

}  // namespace spanwire::trace
