#include "tests/support/cutting_proxy.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <stdexcept>

namespace spanwire::testing {
namespace {

constexpr std::size_t kPieceBytesMax = 2048;
constexpr int kBacklog = 64;

int check(int result, const char* what) {
  if (result < 0) throw std::runtime_error(std::string("the proxy cannot ") + what);
  return result;
}

}  // namespace

CuttingProxy::Endpoint CuttingProxy::loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  Endpoint endpoint{{}, sizeof(address)};
  std::memcpy(&endpoint.address, &address, sizeof(address));
  return endpoint;
}

CuttingProxy::Endpoint CuttingProxy::file(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  check(path.size() < sizeof(address.sun_path) ? 0 : -1, "have so long a path");
  path.copy(address.sun_path, path.size());
  Endpoint endpoint{{}, sizeof(address)};
  std::memcpy(&endpoint.address, &address, sizeof(address));
  return endpoint;
}

CuttingProxy::CuttingProxy(std::uint16_t target_port, std::uint64_t seed, std::size_t bytes_min,
                           std::size_t bytes_max)
    : CuttingProxy(loopback(0), loopback(target_port), seed, bytes_min, bytes_max) {}

CuttingProxy::CuttingProxy(const std::string& target_path, std::uint64_t seed,
                           std::size_t bytes_min, std::size_t bytes_max)
    : CuttingProxy(file(target_path + ".cut"), file(target_path), seed, bytes_min, bytes_max) {}

CuttingProxy::CuttingProxy(const Endpoint& at, const Endpoint& target, std::uint64_t seed,
                           std::size_t bytes_min, std::size_t bytes_max)
    : target_(target), bytes_min_(bytes_min), bytes_max_(bytes_max), random_(seed) {
  const int type = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK;
  listener_ = check(socket(target.address.ss_family, type, 0), "listen");
  check(bind(listener_, at.get(), at.bytes), "bind");
  check(listen(listener_, kBacklog), "listen");
  stop_ = check(eventfd(0, EFD_CLOEXEC), "be stopped");
  thread_ = std::thread([this] { run(); });
}

CuttingProxy::~CuttingProxy() {
  const std::uint64_t one = 1;
  static_cast<void>(!write(stop_, &one, sizeof(one)));
  thread_.join();
  for (const Pair& pair : pairs_) close_pair(pair, false);
  if (target_.address.ss_family == AF_UNIX) unlink(address().c_str());
  close(stop_);
  close(listener_);
}

std::string CuttingProxy::address() const {
  sockaddr_storage bound{};
  socklen_t bytes = sizeof(bound);
  check(getsockname(listener_, reinterpret_cast<sockaddr*>(&bound), &bytes), "name its port");
  if (bound.ss_family == AF_UNIX) return reinterpret_cast<const sockaddr_un&>(bound).sun_path;
  return "127.0.0.1:" + std::to_string(ntohs(reinterpret_cast<const sockaddr_in&>(bound).sin_port));
}

void CuttingProxy::run() {
  std::vector<pollfd> wanted;
  for (;;) {
    wanted.assign({{stop_, POLLIN, 0}, {listener_, POLLIN, 0}});
    for (const Pair& pair : pairs_) {
      wanted.push_back({pair.client, POLLIN, 0});
      wanted.push_back({pair.server, POLLIN, 0});
    }
    if (poll(wanted.data(), wanted.size(), -1) < 0) continue;
    if (wanted[0].revents != 0) return;
    std::size_t at = 2;
    std::erase_if(pairs_, [&](Pair& pair) {
      const bool from_client = wanted[at].revents != 0;
      const bool from_server = wanted[at + 1].revents != 0;
      at += 2;
      return (from_client && !pass_on(pair, pair.client, pair.server)) ||
             (from_server && !pass_on(pair, pair.server, pair.client));
    });
    if (wanted[1].revents != 0) accept_one();
  }
}

void CuttingProxy::accept_one() {
  Pair pair;
  pair.client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
  if (pair.client < 0) return;
  pair.bytes_left = bytes_min_ + random_.below(bytes_max_ - bytes_min_ + 1);
  pair.server = socket(target_.address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connect(pair.server, target_.get(), target_.bytes) != 0) {
    close_pair(pair, true);
    return;
  }
  pairs_.push_back(pair);
}

bool CuttingProxy::pass_on(Pair& pair, int from, int to) {
  std::array<char, kPieceBytesMax> piece;
  const std::size_t wanted =
      std::min(pair.bytes_left, static_cast<std::size_t>(1 + random_.below(piece.size())));
  const ssize_t received = recv(from, piece.data(), wanted, MSG_DONTWAIT);
  if (received <= 0) {
    close_pair(pair, received < 0);
    return false;
  }
  const auto bytes = static_cast<std::size_t>(received);
  const ssize_t sent = send(to, piece.data(), bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
  pair.bytes_left -= bytes;
  if (sent == received && pair.bytes_left != 0) return true;
  close_pair(pair, cuts_.fetch_add(1) % 2 == 0);
  return false;
}

void CuttingProxy::close_pair(const Pair& pair, bool reset) {
  const linger at_once{1, 0};
  for (const int fd : {pair.client, pair.server}) {
    if (reset) setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    close(fd);
  }
}

}  // namespace spanwire::testing
