// Names, attributes and events of client and server spans: OpenTelemetry's RPC conventions.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "spanwire/base/clock.hpp"
#include "spanwire/channel/channel.hpp"
#include "spanwire/rpc/failure.hpp"
#include "spanwire/rpc/outgoing_call.hpp"
#include "spanwire/rpc/status.hpp"
#include "spanwire/trace/carrier.hpp"
#include "spanwire/trace/context.hpp"
#include "spanwire/trace/span.hpp"
#include "spanwire/trace/tracer.hpp"
#include "spanwire/transport/address.hpp"

namespace spanwire::rpc {

class Target;

// The scope of all spans of calls and messages.
const trace::Tracer& rpc_tracer() noexcept;

// client, or producer for a one-way message.  `target` is null where it is not known yet.
trace::Span start_client_span(const trace::Context& context, std::string_view path, CallKind kind,
                              const Target* target) noexcept;
// server, or consumer.  `known` is false for a path without a handler, which must not name the
// span.
trace::Span start_server_span(const trace::Extracted& extracted, const trace::Context& parent,
                              std::string_view path, bool known, bool one_way,
                              MonotonicTime received) noexcept;

struct ReplyTimes {
  MonotonicTime sent;
  MonotonicTime received;
  WallTime server_received;  // zero when unknown
  std::chrono::nanoseconds handler;
};
// Splits the time in network and handler, estimates the offset of the server's clock.
void add_reply_times(trace::Span& span, const ReplyTimes& times, WallTime now) noexcept;

// The status; for a failure error.type and the span's status.  Only for recording spans.
void add_status(trace::Span& span, StatusCode status, std::string_view message) noexcept;

// The phases that took any time.
void add_phases(trace::Span& span, const Phases& phases) noexcept;

// What was configured to be called, as spans show it.  Made once an address.
class Target {
 public:
  explicit Target(const transport::Address& address);

  // To a span, or to whatever takes attributes as one does.
  template <class To>
  void add_to(To& to) const noexcept {
    to.set("server.address", address_);
    if (port_ != 0) to.set("server.port", std::int64_t{port_});
  }

 private:
  std::string address_;
  std::uint16_t port_;
};

// A connection's other end as spans show it; nothing where it has no address (a client behind a
// Unix socket).  Made once a connection.
class Peer {
 public:
  explicit Peer(const channel::ChannelInfo& info);

  void add_to(trace::Span& span) const noexcept;

 private:
  std::string address_;
  std::int64_t port_ = kNone;
  static constexpr std::int64_t kNone = -1;
};

}  // namespace spanwire::rpc
