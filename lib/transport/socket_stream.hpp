// SocketStream: the bytes of one TCP or unix connection.
#pragma once

#include "lib/transport/byte_stream.hpp"
#include "lib/transport/socket_options.hpp"
#include "spanwire/transport/loop.hpp"

namespace spanwire::transport {

// What a dialler needs beyond reading and writing.
class SocketStream : public ByteStream {
 public:
  virtual int fd() const noexcept = 0;
};

// A stream over a non-blocking socket, connected or connecting.  With `quick_ack` each read is
// preceded by TCP_QUICKACK: a peer without TCP_NODELAY otherwise waits 40 ms for our delayed ACK.
Result<Ref<SocketStream>> make_socket_stream(Loop& loop, Fd socket, bool quick_ack);

}  // namespace spanwire::transport
