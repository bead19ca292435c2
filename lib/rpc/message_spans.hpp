// Spans of one-way messages: OpenTelemetry's messaging conventions.
#pragma once

#include <span>
#include <string_view>

#include "spanwire/trace/carrier.hpp"
#include "spanwire/trace/context.hpp"
#include "spanwire/trace/span.hpp"

namespace spanwire::rpc {

// What is done: "push", "publish", "receive".
struct MessageFacts {
  std::string_view operation;
  std::string_view path;
  std::size_t payload_bytes = 0;
};

trace::Span start_producer_span(const trace::Context& context, const MessageFacts& facts) noexcept;
// Under `parent`, with a link where the sender is trusted with no more.  The sender's choice of a
// path names the span only where it is trusted as a parent.
trace::Span start_consumer_span(const trace::Extracted& sender, const trace::Context& parent,
                                const MessageFacts& facts) noexcept;
trace::Span start_batch_span(const trace::Context& context, std::string_view operation,
                             std::span<const trace::Link> links) noexcept;

// What went wrong, for recording spans.
void fail_message_span(trace::Span& span, const Error& error) noexcept;

}  // namespace spanwire::rpc
