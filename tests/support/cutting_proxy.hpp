// CuttingProxy: passes connections on to a port of this machine, or to a Unix socket, in pieces of
// any size, and cuts each of them after a while, in the middle of whatever it carries.
#pragma once

#include <sys/socket.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "spanwire/base/random.hpp"

namespace spanwire::testing {

// Works on a thread of its own from its construction to its end.
class CuttingProxy {
 public:
  // A connection is cut after `bytes_min` to `bytes_max` bytes, counted in both directions; every
  // second one with a reset.
  CuttingProxy(std::uint16_t target_port, std::uint64_t seed, std::size_t bytes_min,
               std::size_t bytes_max);
  // The same for a Unix socket, as the file `target_path`.cut, which it removes.
  CuttingProxy(const std::string& target_path, std::uint64_t seed, std::size_t bytes_min,
               std::size_t bytes_max);
  ~CuttingProxy();
  CuttingProxy(const CuttingProxy&) = delete;
  CuttingProxy& operator=(const CuttingProxy&) = delete;

  // "127.0.0.1:PORT", or the file.
  std::string address() const;
  std::size_t cuts() const noexcept { return cuts_.load(); }

 private:
  struct Pair {
    int client = -1;
    int server = -1;
    std::size_t bytes_left = 0;
  };

  struct Endpoint {
    sockaddr_storage address{};
    socklen_t bytes = 0;
    const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&address); }
  };
  static Endpoint loopback(std::uint16_t port);
  static Endpoint file(const std::string& path);

  CuttingProxy(const Endpoint& at, const Endpoint& target, std::uint64_t seed,
               std::size_t bytes_min, std::size_t bytes_max);
  void run();
  void accept_one();
  // False: the pair is over.
  bool pass_on(Pair& pair, int from, int to);
  void close_pair(const Pair& pair, bool reset);

  const Endpoint target_;
  const std::size_t bytes_min_;
  const std::size_t bytes_max_;
  Random random_;
  int listener_ = -1;
  int stop_ = -1;
  std::vector<Pair> pairs_;
  std::atomic<std::size_t> cuts_{0};
  std::thread thread_;
};

}  // namespace spanwire::testing
