// ZmqPart: one part of a message, over libzmq's own structure.
#pragma once

#include <zmq.h>

#include <cstddef>
#include <utility>

#include "lib/transport/zmq/hand_over.hpp"
#include "spanwire/base/slice.hpp"

namespace spanwire::transport {

// Owns its memory.  libzmq is not asked for a part that nothing was ever put into, nor to free one
// that it has taken over.
class ZmqPart {
 public:
  ZmqPart() noexcept = default;
  // A copy.  Throws std::bad_alloc.
  explicit ZmqPart(ByteView bytes) { copy(bytes); }
  // A structure of libzmq's may be moved as bytes, as its own bindings for C++ do.
  ZmqPart(ZmqPart&& other) noexcept
      : message_(other.message_), live_(std::exchange(other.live_, false)) {}
  ZmqPart& operator=(ZmqPart&& other) noexcept;
  ~ZmqPart() { drop(); }

  // Each replaces what was there.  Both throw std::bad_alloc.
  void copy(ByteView bytes);
  // Memory that `release(data, hint)` gives back, on whatever thread; at once when it throws.
  void lend(std::byte* data, std::size_t size, zmq_free_fn* release, void* hint);

  // For functions of libzmq; initialised.
  zmq_msg_t* handle() noexcept {
    if (!std::exchange(live_, true)) zmq_msg_init(&message_);
    return &message_;
  }
  // libzmq has taken over what was in it.
  void taken() noexcept { live_ = false; }

  std::byte* data() noexcept {
    return live_ ? static_cast<std::byte*>(zmq_msg_data(&message_)) : nullptr;
  }
  const std::byte* data() const noexcept { return const_cast<ZmqPart*>(this)->data(); }
  std::size_t size() const noexcept { return live_ ? zmq_msg_size(&message_) : 0; }
  // Another part of the same message follows.
  bool more() const noexcept { return live_ && zmq_msg_more(&message_) != 0; }

 private:
  void drop() noexcept {
    if (!std::exchange(live_, false)) return;
    // Inside one process others may have the same bytes, and the last of them frees what was read.
    zmq_handed_over(kZmqWire);
    zmq_msg_close(&message_);
  }

  zmq_msg_t message_;
  bool live_ = false;  // initialised and not closed
};

inline ByteView part_bytes(const ZmqPart& part) noexcept { return {part.data(), part.size()}; }

}  // namespace spanwire::transport
