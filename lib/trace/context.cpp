#include "spanwire/trace/context.hpp"

#include <atomic>
#include <cstring>
#include <new>
#include <string>

#include "lib/trace/text.hpp"
#include "spanwire/base/pool.hpp"
#include "spanwire/trace/baggage.hpp"
#include "spanwire/trace/carrier.hpp"
#include "spanwire/trace/context_counters.hpp"

namespace spanwire::trace {
namespace {

// A block that owns its texts: one allocation, the characters behind the object.
class OwnedBlock final : public ContextBlock {
 public:
  static OwnedBlock* make(const ContextTexts& texts, CancelState* cancellation) {
    const std::size_t bytes = sizeof(OwnedBlock) + texts.tracestate.size() + texts.baggage.size() +
                              texts.x_request_id.size() + texts.request_id.size();
    return new (pool_allocate(bytes)) OwnedBlock(texts, cancellation, bytes);
  }

 private:
  OwnedBlock(const ContextTexts& texts, CancelState* cancellation, std::size_t bytes) noexcept
      : bytes_(bytes) {
    char* at = reinterpret_cast<char*>(this + 1);
    const auto copy = [&at](std::string_view text) -> std::string_view {
      if (text.empty()) return {};
      std::memcpy(at, text.data(), text.size());
      return {std::exchange(at, at + text.size()), text.size()};
    };
    ContextTexts own = texts;
    own.tracestate = copy(texts.tracestate);
    own.baggage = copy(texts.baggage);
    own.x_request_id = copy(texts.x_request_id);
    own.request_id = copy(texts.request_id);
    set_texts(own);
    if (cancellation != nullptr) cancellation->retain();
    cancel_with(cancellation);
  }

  void destroy() noexcept override {
    if (cancellation() != nullptr) cancellation()->release();
    const std::size_t bytes = bytes_;
    this->~OwnedBlock();
    pool_free(this, bytes);
  }

  std::size_t bytes_;
};

// Cancelled when one of two others is.
class EitherCancelled final : public CancelState, public Pooled {
 public:
  EitherCancelled(CancelState& first, CancelState& second) noexcept
      : first_{first, *this}, second_{second, *this} {}

 private:
  struct Source : CancelListener {
    Source(CancelState& from, EitherCancelled& to) noexcept
        : CancelListener(&Source::on_cancel), state(from), whole(to) {
      state.retain();
      if (!state.attach(*this)) whole.cancel(state.reason());
    }
    ~Source() { state.release(); }
    static void on_cancel(CancelListener* listener, Errc reason) noexcept {
      static_cast<Source*>(listener)->whole.cancel(reason);
    }
    CancelState& state;
    EitherCancelled& whole;
  };

  void destroy() noexcept override {
    // A source may be calling cancel() on another thread, which holds a reference for its time and
    // gets here too when it gives that back: detach() waits for it, and only one may delete.
    if (destroying_.exchange(true, std::memory_order_acq_rel)) return;
    first_.state.detach(first_);
    second_.state.detach(second_);
    delete this;
  }

  std::atomic<bool> destroying_{false};
  Source first_;
  Source second_;
};

}  // namespace

Context Context::with_texts(const ContextTexts& texts, CancelState* cancellation) const {
  Context changed(span_, deadline_);
  if (!texts.empty() || cancellation != nullptr) {
    changed.block_ = OwnedBlock::make(texts, cancellation);
  }
  return changed;
}

Context Context::with_span(const SpanContext& span) const& {
  if (!tracestate().empty() && !(span.trace_id() == span_.trace_id())) return with_span(span, {});
  Context changed = *this;
  changed.span_ = span;
  return changed;
}

Context Context::with_span(const SpanContext& span, std::string_view tracestate) const {
  if (tracestate == this->tracestate()) {
    Context changed = *this;
    changed.span_ = span;
    return changed;
  }
  ContextTexts texts = this->texts();
  texts.tracestate = tracestate;
  texts.tracestate_needs_escape = true;
  Context changed = with_texts(texts, cancellation());
  changed.span_ = span;
  return changed;
}

Context Context::with_deadline(MonotonicTime deadline) const noexcept {
  Context changed = *this;
  if (deadline != MonotonicTime{} && (!has_deadline() || deadline < deadline_)) {
    changed.deadline_ = deadline;
  }
  return changed;
}

Context Context::with_timeout(std::chrono::nanoseconds timeout, const Clock& clock) const noexcept {
  const MonotonicTime now = clock.monotonic();
  return with_deadline(timeout > MonotonicTime::max() - now ? MonotonicTime::max() : now + timeout);
}

Context Context::with_baggage(std::string_view key, std::string_view value) const {
  const Result<std::string> list = baggage_set(baggage(), key, value);
  if (!list) {
    count_refused(list.error().code());
    return *this;
  }
  ContextTexts texts = this->texts();
  texts.baggage = *list;
  return with_texts(texts, cancellation());
}

Context Context::with_baggage_text(std::string_view baggage) const {
  std::string rebuilt;
  const BaggageCheck check = check_baggage(baggage, rebuilt);
  if (check.cause != Errc::ok) count_refused(check.cause);
  ContextTexts texts = this->texts();
  texts.baggage = check.text;
  texts.baggage_needs_escape = check.needs_escape;
  return with_texts(texts, cancellation());
}

Context Context::with_request_id(std::string_view request_id) const {
  if (!check_request_id(request_id)) return *this;
  ContextTexts texts = this->texts();
  texts.request_id = request_id;
  return with_texts(texts, cancellation());
}

Context Context::with_x_request_id(std::string_view x_request_id) const {
  if (!check_request_id(x_request_id)) return *this;
  ContextTexts texts = this->texts();
  texts.x_request_id = x_request_id;
  return with_texts(texts, cancellation());
}

Context Context::with_cancellation(const Cancellation& added) const {
  CancelState* const old = cancellation();
  if (!added || added.state() == old) return *this;
  if (old == nullptr) return with_texts(texts(), added.state());
  const Cancellation either = Cancellation::adopt(*new EitherCancelled(*old, *added.state()));
  return with_texts(texts(), either.state());
}

Context Context::without_cancellation() const {
  Context changed = with_texts(texts(), nullptr);
  changed.deadline_ = {};
  return changed;
}

Context Extracted::context(MonotonicTime deadline) const {
  return Context(parent(), deadline).with_texts(texts_, nullptr);
}

}  // namespace spanwire::trace
