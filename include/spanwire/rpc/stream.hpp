// Stream: a call with messages in either direction, as its caller sees it.
#pragma once

#include <optional>

#include "spanwire/base/result.hpp"
#include "spanwire/base/slice.hpp"
#include "spanwire/base/task.hpp"
#include "spanwire/rpc/call.hpp"

namespace spanwire::rpc {

class StreamCall;

// Movable; dropping one cancels its call.  read() and write() belong to the executor that opened
// the stream, one reader and one writer at a time; try_write, cancel and the destructor may be used
// from any thread.
class Stream {
 public:
  Stream() noexcept = default;
  Stream(Stream&& other) noexcept;
  Stream& operator=(Stream&& other) noexcept;
  ~Stream();

  // The next message; an empty optional when the call ended well (its reply is then known); else
  // the call's error, also when every message before it had arrived.
  Task<Result<std::optional<Slice>>> read();
  // The same without waiting: a message that is here already; empty when there is none yet, or the
  // end (then read() says which).
  std::optional<Slice> try_read();
  // Waits until the message is taken.
  Task<Result<void>> write(Slice message);
  TryWrite try_write(Slice& message);
  // No more messages from this side.
  void end_writing();
  // Gives the call up; read() then fails with cancelled.
  void cancel();
  // The final reply (headers, payload), once read() has returned the end.
  const Reply& reply() const noexcept;
  // For the same two operations from a thread that is not the runtime's.
  Result<std::optional<Slice>> read_blocking();
  Result<void> write_blocking(Slice message);

 private:
  friend class StreamCall;
  explicit Stream(StreamCall* call) noexcept : call_(call) {}
  StreamCall* call_ = nullptr;  // one reference
};

}  // namespace spanwire::rpc
