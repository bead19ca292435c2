// What can be set of ZeroMQ connections: zmq+tcp://, zmq+ipc:// and zmq+inproc:// addresses.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "spanwire/transport/zmq_security.hpp"

namespace spanwire::transport {

inline constexpr int kZmqSendMessagesMax = 1'000;
inline constexpr int kZmqReceiveMessagesMax = 256;
inline constexpr std::size_t kZmqFlightBytesMax = 4u << 20;
inline constexpr std::size_t kZmqParkedBytesMax = 64u << 20;
// What a message may have on the wire beside its parts: their lengths, CURVE's boxes, what one read
// brought of the next.
inline constexpr std::size_t kZmqFramingBytes = 64u << 10;
// How often, at most, connections are looked at for messages without an end.
inline constexpr std::chrono::nanoseconds kZmqUnfinishedLook = std::chrono::milliseconds(100);
inline constexpr std::chrono::milliseconds kZmqHeartbeat = std::chrono::seconds(10);
inline constexpr std::chrono::milliseconds kZmqHeartbeatTimeout = std::chrono::seconds(5);
inline constexpr std::chrono::milliseconds kZmqLinger = std::chrono::seconds(1);

struct ZmqOptions {
  // Messages for one peer that libzmq holds before they are written.  Beyond, they wait in the
  // link: nothing is dropped.
  int send_messages_max = kZmqSendMessagesMax;
  // Messages of one peer that libzmq holds before they are read.  Beyond, the peer waits.
  int receive_messages_max = kZmqReceiveMessagesMax;
  // Bytes of large payloads for one peer that libzmq holds, beside the number of messages.
  std::size_t flight_bytes_max = kZmqFlightBytesMax;
  // Listener: bytes that are kept for a peer whose link does not read.  One that sends more loses
  // its connection with out_of_memory_budget; others are not held up.
  std::size_t parked_bytes_max = kZmqParkedBytesMax;
  // Bytes on the wire that may come of one message before its end has: libzmq keeps its parts until
  // then.  A zmq+tcp peer that sends more is disconnected ("spanwire.zmq.unfinished_messages").  A
  // part costs libzmq 64 bytes however small it is, so one connection may cost up to 32 times as
  // much memory: set it to what your largest messages have.  0: what the limits allow a message,
  // and kZmqFramingBytes.
  std::size_t unfinished_bytes_max = 0;
  // Silence after which libzmq asks a peer for a sign of life; zero: never.
  std::chrono::milliseconds heartbeat = kZmqHeartbeat;
  // How long it waits for it before the connection is closed.
  std::chrono::milliseconds heartbeat_timeout = kZmqHeartbeatTimeout;
  // What was handed to libzmq before a connection was closed is written for so long; the end of the
  // process waits for it.  A server's drain, a client's shutdown, or close() of a one-way socket
  // ends it at its own deadline.
  std::chrono::milliseconds linger = kZmqLinger;
  // Listener, zmq+ipc: permissions of the socket's file, such as 0660; 0: what the umask says,
  // which is usually the own user alone.  Whoever may write it is trusted like the process itself:
  // of ipc the system does not count what came, so the bounds of unfinished messages do not hold
  // there.
  std::uint32_t ipc_permissions = 0;
  // Encryption, and who may connect; read when a socket is made.
  CurveOptions curve;
};

}  // namespace spanwire::transport
