// Context: what a call carries besides its payload.  The first argument of every call: which span
// is its parent, until when it may run, how it is cancelled, and the texts that travel with it. A
// value of 48 bytes; a copy costs one reference count, and nothing when there is only a span and a
// deadline.  There is no hidden current context: whoever wants one passes it on.
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>
#include <utility>

#include "spanwire/base/cancellation.hpp"
#include "spanwire/base/clock.hpp"
#include "spanwire/trace/span_context.hpp"

namespace spanwire::trace {

// The texts that travel with a context.  Views: who holds them says for how long.
struct ContextTexts {
  std::string_view tracestate;    // valid, see tracestate.hpp; only beside a valid span
  std::string_view baggage;       // valid, see baggage.hpp
  std::string_view x_request_id;  // free text of the caller
  std::string_view request_id;    // the serving system's id of the request
  // tracestate or baggage hold a quote, a backslash or a tab, which JSON has to escape.
  bool tracestate_needs_escape = false;
  bool baggage_needs_escape = false;

  bool empty() const noexcept {
    return tracestate.empty() && baggage.empty() && x_request_id.empty() && request_id.empty();
  }
};

// The shared part of contexts: immutable once a Context refers to it.  Safe from any thread.
// It is a CancelState too, so that one object with one reference count can carry a request's texts
// and be what cancels it.
// Derive from it to let a request's own object carry its context without an allocation: set the
// texts (views into memory that the object keeps alive), cancel_with(this) if the request can be
// cancelled, override destroy() to free the object, and make contexts with Context::over().  The
// object lives until its maker and all contexts have released it.
class ContextBlock : public CancelState {
 public:
  const ContextTexts& texts() const noexcept { return texts_; }
  // What cancels contexts over this block; null when nothing can.
  CancelState* cancellation() const noexcept { return cancellation_; }

 protected:
  ContextBlock() noexcept = default;
  ~ContextBlock() override = default;

  // Only before the first Context refers to this block, or while unique().
  void set_texts(const ContextTexts& texts) noexcept { texts_ = texts; }
  // Borrowed: the deriving object keeps it alive as long as itself, or is it.
  void cancel_with(CancelState* cancellation) noexcept { cancellation_ = cancellation; }

 private:
  CancelState* cancellation_ = nullptr;
  ContextTexts texts_;
};

// One thread at a time per object; copies may be used from different threads.
class Context {
 public:
  // No span, no deadline, never cancelled: where a program starts.
  Context() noexcept = default;
  explicit Context(const SpanContext& span, MonotonicTime deadline = {}) noexcept
      : span_(span), deadline_(deadline) {}
  // A context over `block`, of which it holds a reference of its own.
  static Context over(ContextBlock& block, const SpanContext& span,
                      MonotonicTime deadline = {}) noexcept {
    Context context(span, deadline);
    block.retain();
    context.block_ = &block;
    return context;
  }

  // The same, taking over one reference of `block`: nothing is counted.
  static Context adopt(ContextBlock& block, const SpanContext& span,
                       MonotonicTime deadline = {}) noexcept {
    Context context(span, deadline);
    context.block_ = &block;
    return context;
  }

  Context(const Context& other) noexcept
      : span_(other.span_), deadline_(other.deadline_), block_(other.block_) {
    if (block_ != nullptr) block_->retain();
  }
  Context(Context&& other) noexcept
      : span_(other.span_),
        deadline_(other.deadline_),
        block_(std::exchange(other.block_, nullptr)) {}
  Context& operator=(Context other) noexcept {
    span_ = other.span_;
    deadline_ = other.deadline_;
    std::swap(block_, other.block_);
    return *this;
  }
  ~Context() {
    if (block_ != nullptr) block_->release();
  }

  const SpanContext& span() const noexcept { return span_; }
  // Zero for none.
  MonotonicTime deadline() const noexcept { return deadline_; }
  bool has_deadline() const noexcept { return deadline_ != MonotonicTime{}; }
  bool expired(MonotonicTime now) const noexcept { return has_deadline() && now >= deadline_; }
  // Views; valid while this context or a copy of it lives.
  std::string_view tracestate() const noexcept { return texts().tracestate; }
  std::string_view baggage() const noexcept { return texts().baggage; }
  std::string_view x_request_id() const noexcept { return texts().x_request_id; }
  std::string_view request_id() const noexcept { return texts().request_id; }
  const ContextTexts& texts() const noexcept { return block_ != nullptr ? block_->texts() : kNone; }
  ContextBlock* block() const noexcept { return block_; }
  // Null when nothing can cancel this context.
  CancelState* cancellation() const noexcept {
    return block_ != nullptr ? block_->cancellation() : nullptr;
  }
  bool cancelled() const noexcept {
    const CancelState* state = cancellation();
    return state != nullptr && state->cancelled();
  }
  // Why; ok while not cancelled.
  Errc cancel_reason() const noexcept {
    const CancelState* state = cancellation();
    return state != nullptr ? state->reason() : Errc::ok;
  }

  // The builders leave this context as it is and return a changed one.

  // Another current span.  Tracestate stays when the trace does: it says nothing about another one.
  Context with_span(const SpanContext& span) const&;
  // Of a context that is given up: costs no reference count.
  Context with_span(const SpanContext& span) && {
    move_to(span);
    return std::move(*this);
  }
  // The same in place, for who keeps one context of its own.
  void move_to(const SpanContext& span) {
    if (!tracestate().empty() && !(span.trace_id() == span_.trace_id())) {
      *this = std::as_const(*this).with_span(span);
    } else {
      span_ = span;
    }
  }
  // The same with the tracestate that a sampler or a vendor chose; valid or empty, copied.
  Context with_span(const SpanContext& span, std::string_view tracestate) const;
  // The earlier of this context's deadline and `deadline`; zero changes nothing.
  Context with_deadline(MonotonicTime deadline) const noexcept;
  Context with_timeout(std::chrono::nanoseconds timeout,
                       const Clock& clock = Clock::system()) const noexcept;
  // Sets one baggage member; any bytes are allowed in `value` (it is percent-encoded).  A key that
  // is no token, or a member that would break the limits of baggage.hpp, changes nothing and is
  // counted.
  Context with_baggage(std::string_view key, std::string_view value) const;
  // Replaces the whole baggage; an empty one clears it, for a peer that is not trusted with it.
  // What is bad of it is left out and counted.
  Context with_baggage_text(std::string_view baggage) const;
  // Texts longer than kRequestIdBytesMax or with control characters change nothing, counted.
  Context with_request_id(std::string_view request_id) const;
  Context with_x_request_id(std::string_view x_request_id) const;
  // Cancelled by `cancellation` from now on, and still by whatever cancels this context.
  Context with_cancellation(const Cancellation& cancellation) const;
  // For work that outlives the call: the same span and texts, in memory of their own, without
  // deadline and cancellation.
  Context without_cancellation() const;

 private:
  static constexpr ContextTexts kNone{};

  friend class Extracted;
  // Over a new block with copies of the texts; over none if there is nothing to hold.
  Context with_texts(const ContextTexts& texts, CancelState* cancellation) const;

  SpanContext span_;
  MonotonicTime deadline_{};
  ContextBlock* block_ = nullptr;
};

static_assert(sizeof(Context) <= 64);

}  // namespace spanwire::trace
