// ZmqPart: one part of a message, over libzmq's own structure.
#pragma once

#include <zmq.h>

#include <cerrno>
#include <cstddef>
#include <limits>
#include <utility>

#include "lib/transport/zmq/hand_over.hpp"
#include "spanwire/base/slice.hpp"

namespace spanwire::transport {

// Owns its memory.  libzmq is not asked for a part that nothing was ever put into, nor to free one
// that it has taken over, nor twice how large one is.
class ZmqPart {
 public:
  ZmqPart() noexcept = default;
  // A copy.  Throws std::bad_alloc.
  explicit ZmqPart(ByteView bytes) { copy(bytes); }
  // A structure of libzmq's may be moved as bytes, as its own bindings for C++ do.
  ZmqPart(ZmqPart&& other) noexcept
      : message_(other.message_),
        size_(std::exchange(other.size_, 0)),
        live_(std::exchange(other.live_, false)) {}
  ZmqPart& operator=(ZmqPart&& other) noexcept;
  ~ZmqPart() { drop(); }

  // Each replaces what was there.  Both throw std::bad_alloc.
  void copy(ByteView bytes);
  // Memory that `release(data, hint)` gives back, on whatever thread; at once when it throws.
  void lend(std::byte* data, std::size_t size, zmq_free_fn* release, void* hint);

  // The next part that `socket` has, in place of what was there.  False, and the part is empty, if
  // there is none now; errno says why.
  bool receive(void* socket, int flags) noexcept;
  // Into `socket`, and it is empty.  False if it was not taken; errno says why.
  bool send(void* socket, int flags) noexcept;

  // For functions of libzmq that only look; initialised.
  zmq_msg_t* handle() noexcept {
    if (!std::exchange(live_, true)) zmq_msg_init(&message_);
    return &message_;
  }

  // Null for an empty part.
  std::byte* data() noexcept {
    return size_ != 0 ? static_cast<std::byte*>(zmq_msg_data(&message_)) : nullptr;
  }
  const std::byte* data() const noexcept { return const_cast<ZmqPart*>(this)->data(); }
  std::size_t size() const noexcept { return size_; }
  // Another part of the same message follows.
  bool more() const noexcept { return live_ && zmq_msg_more(&message_) != 0; }

 private:
  void drop() noexcept {
    size_ = 0;
    if (!std::exchange(live_, false)) return;
    // Inside one process others may have the same bytes, and the last of them frees what was read.
    zmq_handed_over(kZmqWire);
    zmq_msg_close(&message_);
  }

  zmq_msg_t message_;
  std::size_t size_ = 0;
  bool live_ = false;  // initialised and not closed
};

inline bool ZmqPart::receive(void* socket, int flags) noexcept {
  int received = 0;
  do {
    received = zmq_msg_recv(handle(), socket, flags);
  } while (received < 0 && errno == EINTR);
  size_ = received > 0 ? static_cast<std::size_t>(received) : 0;
  // It says no larger number.
  if (received == std::numeric_limits<int>::max()) [[unlikely]]
    size_ = zmq_msg_size(&message_);
  return received >= 0;
}

inline bool ZmqPart::send(void* socket, int flags) noexcept {
  int sent = 0;
  do {
    sent = zmq_msg_send(handle(), socket, flags);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) return false;
  live_ = false;
  size_ = 0;
  return true;
}

inline ByteView part_bytes(const ZmqPart& part) noexcept { return {part.data(), part.size()}; }

}  // namespace spanwire::transport
