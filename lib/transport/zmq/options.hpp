// What both ends set on their sockets.
#pragma once

#include "lib/transport/zmq/socket.hpp"
#include "spanwire/transport/address.hpp"
#include "spanwire/transport/zmq.hpp"

namespace spanwire::transport {

ZmqSocketOptions link_socket_options(const ZmqOptions& options);
// Of a socket on which messages of `body_bytes` are taken.
std::uint64_t unfinished_bytes_max(const ZmqOptions& options, std::size_t body_bytes) noexcept;
Result<void> set_heartbeat(ZmqSocket& socket, const ZmqOptions& options);
// What `linger` allows, but no longer than `left`.
std::chrono::milliseconds shorter_linger(std::chrono::milliseconds linger,
                                         std::chrono::nanoseconds left) noexcept;
// The same at `now`, but no longer than until `deadline`; a zero one is none.
std::chrono::milliseconds linger_by(std::chrono::milliseconds linger, MonotonicTime deadline,
                                    MonotonicTime now) noexcept;
// Keys for an address over which everything would travel in the clear all the same: who gave them
// does not want that.  Fails with invalid_argument.
Result<void> check_encrypts(const Address& address, const CurveOptions& curve);
// One attempt in `timeout`, and no other: redialling is the pool's, with its jitter.
Result<void> set_connecting(ZmqSocket& socket, std::chrono::nanoseconds timeout);

// A connection that has not introduced itself by then is closed.
Result<void> set_handshake_timeout(ZmqSocket& socket, std::chrono::nanoseconds timeout);

// The port that it got.  Fails with already_exists, listen_failed, resolve_failed.
Result<std::uint16_t> bind_tcp(ZmqSocket& socket, const Address& address);
// libzmq replaces whatever file is there: here only a socket that nobody listens on.
Result<void> bind_ipc(ZmqSocket& socket, const Address& address, const ZmqOptions& options);

// "zmq+tcp"
std::string_view zmq_scheme(Scheme scheme) noexcept;

// Names that are bound inside this process: libzmq would wait for ever for one that is not.  Safe
// from any thread.
bool add_inproc_name(const std::string& name);
void remove_inproc_name(const std::string& name);
bool has_inproc_name(const std::string& name);

}  // namespace spanwire::transport
