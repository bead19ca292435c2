#include "lib/transport/zmq/handshakes.hpp"

#include <utility>

namespace spanwire::transport {

void ZmqHandshakes::begun(int fd, std::string peer) {
  // The number is another's whose end was not told.
  standing_.erase(fd);
  open_.insert_or_assign(fd, std::move(peer));
}

void ZmqHandshakes::succeeded() {
  if (succeeded_ + failed_ < open_.size()) ++succeeded_;
  settle();
}

std::string ZmqHandshakes::failed() {
  if (succeeded_ + failed_ >= open_.size()) return {};
  ++failed_;
  return open_.size() == 1 ? open_.begin()->second : std::string();
}

ZmqHandshakes::End ZmqHandshakes::ended(int fd) {
  if (standing_.erase(fd) != 0) return End::stood;
  if (open_.erase(fd) == 0) return End::unknown;
  End end = End::silent;
  if (failed_ != 0) {
    --failed_;
    end = End::failed;
  } else if (succeeded_ != 0) {
    --succeeded_;
    end = End::stood;
  }
  settle();
  return end;
}

// All that are left have succeeded: now it is known which.
void ZmqHandshakes::settle() {
  if (succeeded_ != open_.size()) return;
  for (const auto& [fd, peer] : open_) standing_.insert(fd);
  open_.clear();
  succeeded_ = 0;
}

}  // namespace spanwire::transport
