#include "lib/rpc/span_attributes.hpp"

#include <array>
#include <span>

#include "lib/rpc/shown_path.hpp"
#include "spanwire/trace/tracer.hpp"

namespace spanwire::rpc {

const trace::Tracer& rpc_tracer() noexcept {
  // The conventions that the attributes' names are those of.
  constexpr std::string_view kSchema = "https://opentelemetry.io/schemas/1.44.0";
  static const trace::Tracer tracer = trace::tracer("spanwire.rpc", SPANWIRE_VERSION, kSchema);
  return tracer;
}

namespace {

// Before there are threads: a fork amid the making of a static leaves its child waiting for it.
[[gnu::constructor]] void make_rpc_tracer() { rpc_tracer(); }

// Attributes that are there when a span starts.
class StartAttributes {
 public:
  void set(trace::Key key, trace::AttributeValue value) noexcept { all_[size_++] = {key, value}; }
  std::span<const trace::Attribute> view() const noexcept { return {all_.data(), size_}; }

 private:
  static constexpr trace::Attribute kNone = {{}, false};
  std::array<trace::Attribute, 4> all_ = {kNone, kNone, kNone, kNone};
  std::size_t size_ = 0;
};

// `add(to)` sets the attributes, on the span or on what it starts with.  A sampler sees them; where
// none is asked, only a recorded span costs them.
template <class Add>
trace::Span start_span(const trace::Context& parent, trace::Key name, trace::SpanOptions options,
                       const Add& add) noexcept {
  if (rpc_tracer().asks_sampler(parent)) {
    StartAttributes attributes;
    add(attributes);
    options.attributes = attributes.view();
    return rpc_tracer().start(parent, name, options);
  }
  trace::Span span = options.links.empty()
                         ? rpc_tracer().start(parent, name, options.kind, options.start)
                         : rpc_tracer().start(parent, name, options);
  if (span.recording()) add(span);
  return span;
}

}  // namespace

trace::Span start_client_span(const trace::Context& context, std::string_view path, CallKind kind,
                              const Target* target) noexcept {
  trace::SpanOptions options;
  options.kind = kind == CallKind::one_way ? trace::SpanKind::producer : trace::SpanKind::client;
  return start_span(context, path, options, [&](auto& to) {
    to.set("rpc.system.name", "spanwire");
    to.set("rpc.method", path);
    if (target != nullptr) target->add_to(to);
  });
}

trace::Span start_server_span(const trace::Extracted& extracted, const trace::Context& parent,
                              std::string_view path, bool known, bool one_way,
                              MonotonicTime received) noexcept {
  trace::SpanOptions options;
  options.kind = one_way ? trace::SpanKind::consumer : trace::SpanKind::server;
  options.start = received;
  trace::Link link;
  if (extracted.link().valid()) {
    link.context = extracted.link();
    link.tracestate = extracted.link_tracestate();
    options.links = {&link, 1};
  }
  // A path that nobody registered is the caller's invention: it must not become a span's name.
  const trace::Key name = known ? trace::Key(path) : trace::Key("spanwire");
  return start_span(parent, name, options, [&](auto& to) {
    to.set("rpc.system.name", "spanwire");
    if (known) {
      to.set("rpc.method", path);
    } else {
      to.set("rpc.method", "_OTHER");
      to.set("rpc.method_original", clipped_path(path));
    }
  });
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

Peer::Peer(const channel::ChannelInfo& info) : address_(info.peer) {
  if (info.scheme == "unix" && !info.peer.starts_with('/') && !info.peer.starts_with('@')) {
    address_.clear();
    return;
  }
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
  if (address_.empty()) return;
  span.set("network.peer.address", address_);
  if (port_ != kNone) span.set("network.peer.port", port_);
}

}  // namespace spanwire::rpc
