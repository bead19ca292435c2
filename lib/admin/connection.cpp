#include "lib/admin/connection.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace spanwire::admin {
namespace {

constexpr std::size_t kReadBytes = 4096;
// Of what a client sends behind its request: without reading it, a close would take the answer
// back.
constexpr std::size_t kDiscardedMax = 1u << 20;

bool would_block() noexcept { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

}  // namespace

Connection::~Connection() { ::close(descriptor_); }

short Connection::events() const noexcept { return !out_.empty() && !answered_ ? POLLOUT : POLLIN; }

bool Connection::step(const Answer& answer, std::size_t request_bytes_max) {
  if (answered_) return discard();
  return out_.empty() ? read(answer, request_bytes_max) : write();
}

bool Connection::read(const Answer& answer, std::size_t request_bytes_max) {
  std::array<char, kReadBytes> block;
  const ssize_t got = ::recv(descriptor_, block.data(), block.size(), 0);
  if (got < 0) return would_block();
  if (got == 0) return false;
  in_.append(block.data(), static_cast<std::size_t>(got));
  const std::size_t end = head_end(in_);
  HttpRequest request;
  if (end != std::string::npos && end <= request_bytes_max) {
    request = parse_request(std::string_view(in_).substr(0, end));
  } else if (in_.size() > request_bytes_max) {
    request.refused = 431;
  } else {
    return true;
  }
  out_ = answer(request);
  return write();
}

bool Connection::write() {
  const ssize_t sent =
      ::send(descriptor_, out_.data() + written_, out_.size() - written_, MSG_NOSIGNAL);
  if (sent < 0) return would_block();
  written_ += static_cast<std::size_t>(sent);
  if (written_ < out_.size()) return true;
  answered_ = true;
  return ::shutdown(descriptor_, SHUT_WR) == 0;
}

bool Connection::discard() {
  std::array<char, kReadBytes> block;
  const ssize_t got = ::recv(descriptor_, block.data(), block.size(), 0);
  if (got < 0) return would_block();
  discarded_ += static_cast<std::size_t>(got);
  return got != 0 && discarded_ <= kDiscardedMax;
}

}  // namespace spanwire::admin
