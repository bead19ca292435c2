// Address: where to dial or to listen, as written in options and on command lines.
//
//   tcp://HOST:PORT            HOST is a name, an IPv4 address, [IPv6 address], or * to listen on
//   all unix:///ABSOLUTE/PATH memory://NAME              inside one process dynamo+tcp://HOST:PORT
//   the same place, spoken to in Dynamo's request plane (wire v1)
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "spanwire/base/result.hpp"

namespace spanwire::transport {

enum class Scheme : std::uint8_t { tcp, unix_socket, memory };

// A value.  Made by parse_address, which checks it.
class Address {
 public:
  Address() = default;

  Scheme scheme = Scheme::tcp;
  std::string protocol;  // before the +: "" is v2, "dynamo" is v1
  std::string host;      // tcp: name or number, without brackets; unix: the path; memory: the name
  std::uint16_t port = 0;  // tcp; 0 asks a listener for any free port and cannot be dialled
};

// Longest path of a unix socket: what the system's address structure holds.
inline constexpr std::size_t kUnixPathBytesMax = 107;
inline constexpr std::size_t kHostBytesMax = 253;

// Fails with bad_address; the sentence names the text, what is wrong with it and what is expected.
// Touches neither the network nor the file system.
Result<Address> parse_address(std::string_view text);

// The text that parse_address reads back: "tcp://[::1]:7001".
std::string to_string(const Address& address);

// "10.0.0.7:7001", "[::1]:7001".
std::string host_and_port(std::string_view host, std::uint16_t port);

}  // namespace spanwire::transport
