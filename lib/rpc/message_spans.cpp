#include "lib/rpc/message_spans.hpp"

#include <array>

#include "lib/rpc/shown_path.hpp"
#include "lib/rpc/span_attributes.hpp"

namespace spanwire::rpc {
namespace {

void set_facts(trace::Span& span, const MessageFacts& facts, std::string_view type) noexcept {
  if (!span.recording()) return;
  span.set("messaging.system", "zeromq");
  span.set("messaging.operation.name", facts.operation);
  span.set("messaging.operation.type", type);
  span.set("messaging.destination.name", clipped_path(facts.path));
  span.set("messaging.message.body.size", static_cast<std::int64_t>(facts.payload_bytes));
}

}  // namespace

trace::Span start_producer_span(const trace::Context& context, const MessageFacts& facts) noexcept {
  trace::Span span = rpc_tracer().start(context, facts.path, trace::SpanKind::producer);
  set_facts(span, facts, "send");
  return span;
}

trace::Span start_consumer_span(const trace::Extracted& sender, const trace::Context& parent,
                                const MessageFacts& facts) noexcept {
  trace::SpanOptions options;
  options.kind = trace::SpanKind::consumer;
  std::array<trace::Link, 1> links;
  if (sender.link().valid()) {
    links[0].context = sender.link();
    links[0].tracestate = sender.link_tracestate();
    options.links = links;
  }
  const trace::Key name =
      sender.parent().valid() ? trace::Key(clipped_path(facts.path)) : trace::Key(facts.operation);
  trace::Span span = rpc_tracer().start(parent, name, options);
  set_facts(span, facts, "receive");
  return span;
}

trace::Span start_batch_span(const trace::Context& context, std::string_view operation,
                             std::span<const trace::Link> links) noexcept {
  trace::SpanOptions options;
  options.kind = trace::SpanKind::consumer;
  options.links = links;
  trace::Span span = rpc_tracer().start(context, operation, options);
  if (span.recording()) {
    span.set("messaging.system", "zeromq");
    span.set("messaging.operation.name", operation);
    span.set("messaging.operation.type", "receive");
  }
  return span;
}

void fail_message_span(trace::Span& span, const Error& error) noexcept {
  if (!span.recording()) return;
  span.set("error.type", name(error.code()));
  span.set_status(trace::StatusCode::error, error.detail());
}

}  // namespace spanwire::rpc
