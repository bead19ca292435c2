#include "lib/transport/zmq/part.hpp"

#include <cstring>
#include <new>

namespace spanwire::transport {

ZmqPart& ZmqPart::operator=(ZmqPart&& other) noexcept {
  if (this == &other) return *this;
  drop();
  message_ = other.message_;
  size_ = std::exchange(other.size_, 0);
  live_ = std::exchange(other.live_, false);
  return *this;
}

void ZmqPart::copy(ByteView bytes) {
  drop();
  if (bytes.empty()) return;
  if (zmq_msg_init_size(&message_, bytes.size()) != 0) throw std::bad_alloc();
  live_ = true;
  size_ = bytes.size();
  std::memcpy(zmq_msg_data(&message_), bytes.data(), bytes.size());
}

void ZmqPart::lend(std::byte* data, std::size_t size, zmq_free_fn* release, void* hint) {
  drop();
  if (zmq_msg_init_data(&message_, data, size, release, hint) != 0) {
    release(data, hint);
    throw std::bad_alloc();
  }
  live_ = true;
  size_ = size;
}

}  // namespace spanwire::transport
