// PropagateContext: what goes along when a request moves to another thread or process.  Forms:
// proto-spec/journey.md.
#pragma once

#include "spanwire/trace/context.hpp"
#include "spanwire/trace/span_context.hpp"

namespace spanwire::journey {

// A value.  The default says nothing: it comes from a peer that does not trace.
struct PropagateContext {
  // The span of the whole request, parent of the threads' spans, and the texts that travel with it.
  trace::Context request;
  // The latest slice before the hand-over, for the next one to link to; none at the beginning.
  trace::SpanContext previous;

  explicit operator bool() const noexcept { return request.span().valid(); }
};

}  // namespace spanwire::journey
