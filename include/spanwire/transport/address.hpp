// Address: where to dial or to listen, as written in options and on command lines.
//
//   tcp://HOST:PORT         HOST is a name, an IPv4 address, [IPv6 address], or * to listen on all
//   unix:///ABSOLUTE/PATH
//   memory://NAME           inside one process
//   zmq+tcp://HOST:PORT     the same over ZeroMQ, DEALER to ROUTER
//   zmq+ipc:///ABSOLUTE/PATH
//   zmq+inproc://NAME       inside one process
//   dynamo+tcp://HOST:PORT  spoken to in Dynamo's request plane (wire v1)
//   naive+zmq+...           dialled only: a ROUTER or REP socket that knows no hello, such as a
//                           script's
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "spanwire/base/result.hpp"

namespace spanwire::transport {

enum class Scheme : std::uint8_t { tcp, unix_socket, memory, zmq_tcp, zmq_ipc, zmq_inproc };

// A value.  Made by parse_address, which checks it.
class Address {
 public:
  Address() = default;

  Scheme scheme = Scheme::tcp;
  std::string protocol;    // before the scheme's name: "" is v2, "dynamo" is v1, "naive" v2 without
                           // hello
  std::string host;        // tcp: name or number, without brackets; unix, ipc: the path; memory,
                           // inproc: the name
  std::uint16_t port = 0;  // tcp; 0 asks a listener for any free port and cannot be dialled

  bool zmq() const noexcept {
    return scheme == Scheme::zmq_tcp || scheme == Scheme::zmq_ipc || scheme == Scheme::zmq_inproc;
  }
};

// Longest path of a unix socket, of ipc too: what the system's address structure holds.
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
