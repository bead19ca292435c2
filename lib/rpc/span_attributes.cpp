#include "lib/rpc/span_attributes.hpp"

#include <array>

#include "spanwire/trace/tracer.hpp"

namespace spanwire::rpc {
namespace {

const trace::Tracer& rpc_tracer() noexcept {
  static const trace::Tracer tracer = trace::tracer("spanwire.rpc");
  return tracer;
}

// Before there are threads: a fork amid the making of a static leaves its child waiting for it.
[[gnu::constructor]] void make_rpc_tracer() { rpc_tracer(); }

trace::Span start_linked(const trace::Extracted& extracted, const trace::Context& parent,
                         trace::Key name, trace::SpanKind kind, MonotonicTime received) noexcept {
  std::array<trace::Link, 1> links;
  links[0].context = extracted.link();
  links[0].tracestate = extracted.link_tracestate();
  trace::SpanOptions options;
  options.kind = kind;
  options.start = received;
  options.links = links;
  return rpc_tracer().start(parent, name, options);
}

}  // namespace

trace::Span start_client_span(const trace::Context& context, std::string_view path,
                              CallKind kind) noexcept {
  trace::Span span = rpc_tracer().start(
      context, path,
      kind == CallKind::one_way ? trace::SpanKind::producer : trace::SpanKind::client);
  if (span.recording()) {
    span.set("rpc.system.name", "spanwire");
    span.set("rpc.method", path);
  }
  return span;
}

trace::Span start_server_span(const trace::Extracted& extracted, const trace::Context& parent,
                              std::string_view path, bool known, bool one_way,
                              MonotonicTime received) noexcept {
  // A path that nobody registered is the caller's invention: it must not become a span's name.
  const trace::Key name = known ? trace::Key(path) : trace::Key("spanwire");
  const auto kind = one_way ? trace::SpanKind::consumer : trace::SpanKind::server;
  trace::Span span = extracted.link().valid()
                         ? start_linked(extracted, parent, name, kind, received)
                         : rpc_tracer().start(parent, name, kind, received);
  if (span.recording()) {
    span.set("rpc.system.name", "spanwire");
    if (known) {
      span.set("rpc.method", path);
    } else {
      span.set("rpc.method", "_OTHER");
      span.set("rpc.method_original", path);
    }
  }
  return span;
}

void add_reply_times(trace::Span& span, const ReplyTimes& times, WallTime now) noexcept {
  const std::chrono::nanoseconds whole = times.received - times.sent;
  const std::chrono::nanoseconds network = whole - times.handler;
  Phases phases;
  phases.network = network;
  phases.handler = times.handler;
  add_phases(span, phases);
  if (times.server_received == WallTime{}) return;
  // Both ways are taken to be equally long, as NTP does.
  const WallTime sent_wall = now - whole;
  const std::chrono::nanoseconds offset = times.server_received - (sent_wall + network / 2);
  span.set("spanwire.clock_offset_ns", offset.count());
}

void add_phases(trace::Span& span, const Phases& phases) noexcept {
  const auto add = [&span](trace::Key key, std::chrono::nanoseconds time) {
    if (time.count() > 0) span.set(key, time.count());
  };
  add("spanwire.phase.resolve_ns", phases.resolve);
  add("spanwire.phase.connect_ns", phases.connect);
  add("spanwire.phase.pool_wait_ns", phases.pool_wait);
  add("spanwire.phase.network_ns", phases.network);
  add("spanwire.phase.handler_ns", phases.handler);
  add("spanwire.phase.first_byte_ns", phases.first_byte);
}

void add_status(trace::Span& span, StatusCode status, std::string_view message) noexcept {
  span.set("rpc.status_code", name(status));
  if (status == StatusCode::ok) return;
  span.set("error.type", name(status));
  span.set_status(trace::StatusCode::error, message);
}

Target::Target(const transport::Address& address) : address_(address.host), port_(address.port) {}

void Target::add_to(trace::Span& span) const noexcept {
  span.set("server.address", address_);
  if (port_ != 0) span.set("server.port", std::int64_t{port_});
}

Peer::Peer(const channel::ChannelInfo& info) : address_(info.peer) {
  const bool has_port = info.scheme == "tcp" || info.scheme == "zmq+tcp";
  const std::size_t colon = has_port ? info.peer.rfind(':') : std::string::npos;
  if (colon == std::string::npos) return;
  std::string_view address = std::string_view(info.peer).substr(0, colon);
  if (address.size() > 1 && address.front() == '[') address = address.substr(1, address.size() - 2);
  address_ = address;
  port_ = 0;
  for (const char c : std::string_view(info.peer).substr(colon + 1)) port_ = port_ * 10 + (c - '0');
}

void Peer::add_to(trace::Span& span) const noexcept {
  span.set("network.peer.address", address_);
  if (port_ != kNone) span.set("network.peer.port", port_);
}

}  // namespace spanwire::rpc
