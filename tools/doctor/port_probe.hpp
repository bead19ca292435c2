// What listens at a port: found out by knocking in each protocol.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace spanwire::tools {

enum class Speaks : std::uint8_t {
  unresolved,  // the host has no address
  nothing,     // no connection
  tls,
  http2,    // in clear text, as gRPC does
  http1,    // in clear text
  unknown,  // connects, and answers to none of these
};

struct PortAnswer {
  Speaks speaks = Speaks::unknown;
  std::string detail;  // why there is no connection
  // Of an HTTP/1 answer's Date less our own clock.
  std::optional<std::chrono::seconds> clock_ahead;
};

// Each of the knocks takes at most `timeout`.
PortAnswer probe_port(const std::string& host, unsigned port, std::chrono::milliseconds timeout);

}  // namespace spanwire::tools
