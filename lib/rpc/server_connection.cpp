#include "lib/rpc/call_headers.hpp"
#include "lib/rpc/incoming_call.hpp"
#include "lib/rpc/metrics.hpp"
#include "lib/rpc/server_core.hpp"
#include "lib/rpc/shown_path.hpp"
#include "lib/rpc/span_attributes.hpp"
#include "spanwire/trace/wire_carrier.hpp"

namespace spanwire::rpc {

bool ServerConnection::may_start_now() noexcept {
  const MonotonicTime now = server_.loop().now();
  if (turn_ != now) {
    turn_ = now;
    starts_ = 0;
  }
  return ++starts_ <= kStartsPerTurnMax;
}

void ServerConnection::on_request(channel::ServerChannel& channel, channel::RequestIn& request) {
  speaking_ = &channel;
  ServerCore& core = server_.core();
  Route* route = last_route_;
  if (route == nullptr || route->path != request.path) {
    route = core.route(request.path);
    last_route_ = route;
  }
  if (route == nullptr) {
    serve_unknown(request);
    return;
  }
  const bool queue_full = route->pool != nullptr && core.queued().load(std::memory_order_relaxed) >=
                                                        core.options().queued_handlers_max;
  if (queue_full || !core.admit(server_)) {
    count_overload();
    refuse(request.id, StatusCode::resource_exhausted,
           "the server is at its limit of running calls", core.options().retry_after);
    return;
  }
  IncomingCall* call = IncomingCall::make(*this, route, request);
  channel.attach(request.id, call->sink());
  ++calls_;
  server_.call_began(*call);
  if (may_start_now()) {
    call->start();
  } else {
    call->start_later();
  }
}

// A span of its own, so that the caller's mistake is seen in the tree.
void ServerConnection::serve_unknown(channel::RequestIn& request) {
  wire::HeaderList& headers = server_.headers();
  headers.clear();
  if (!request.headers.empty()) static_cast<void>(headers.parse(request.headers));
  const trace::Extracted extracted = trace::extract(headers, options_.trust);
  trace::Span span = start_server_span(extracted, extracted.context(), request.path, false,
                                       request.one_way, server_.loop().now());
  const std::string message = "no handler for the path '" + shown_path(request.path) + "'";
  if (span.recording()) {
    peer_.add_to(span);
    add_status(span, StatusCode::unimplemented, message);
  }
  span.end();
  count_unknown_call(span.context(), server_.loop().now());
  refuse(request.id, StatusCode::unimplemented, message, {});
}

void ServerConnection::refuse(channel::CallId id, StatusCode code, std::string_view message,
                              std::chrono::milliseconds retry_after) {
  server_.core().count_refused();
  CallHeaders headers;
  headers.write_reply(nullptr, retry_after);
  channel::ReplyOut reply;
  reply.status = static_cast<std::uint8_t>(code);
  reply.not_started = true;
  reply.message = message;
  reply.headers = headers.view();
  speaking_->reply(id, reply);
}

void ServerConnection::on_refused(channel::ServerChannel& /*channel*/) {
  server_.core().count_refused();
}

void ServerConnection::on_closed(channel::ServerChannel& /*channel*/, const Error& /*cause*/) {
  closed_ = true;
  server_.remove_if_gone(*this);
}

}  // namespace spanwire::rpc
