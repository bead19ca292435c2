// ByteStream: one connection's bytes below a StreamLink: a socket, a pipe in memory, later TLS.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "lib/transport/ref.hpp"
#include "spanwire/base/result.hpp"

namespace spanwire::transport {

enum class IoStatus : std::uint8_t {
  ok,
  would_block,  // nothing moved: wait
  ended,        // the peer sends no more
  failed,       // `error` says why
};

struct IoResult {
  IoStatus status = IoStatus::ok;
  std::size_t bytes = 0;
  Error error;
};

// Who waits on a stream.  Called inside a turn; the stream may be closed and released in there.
class StreamEvents {
 public:
  virtual void on_readable() = 0;
  virtual void on_writable() = 0;

 protected:
  ~StreamEvents() = default;
};

// Never blocks.  Only on its executor.
class ByteStream : public RefCounted {
 public:
  virtual void start(StreamEvents& events) = 0;
  virtual IoResult read(std::span<const iovec> into) = 0;
  // May take a part; what it took counts as submitted.
  virtual IoResult write(std::span<const iovec> from) = 0;
  // One on_readable, on_writable follows when trying again makes sense.  Waiting twice is waiting
  // once.
  virtual void wait_readable() = 0;
  virtual void wait_writable() = 0;
  // Nothing more will be written; the peer still gets all that was.
  virtual void end_writing() = 0;
  // No event follows.  Idempotent.
  virtual void close() = 0;
};

}  // namespace spanwire::transport
