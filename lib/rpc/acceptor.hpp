// Acceptor: takes what a listener accepts to one of the server's loops.
#pragma once

#include <memory>

#include "lib/rpc/server_core.hpp"
#include "spanwire/transport/listen.hpp"

namespace spanwire::rpc {

// Belongs to the loop of its listener; lives as long as the server.
class Acceptor final : private transport::AcceptEvents {
 public:
  Acceptor(ServerCore& core, LoopServer& home, ListenOptions options)
      : core_(core), home_(home), options_(options) {}

  // Both in a turn of the home loop.
  Result<std::string> listen(const transport::Address& address);
  void close(MonotonicTime linger_until) noexcept;

 private:
  void on_accept(transport::Incoming incoming) override;
  void on_shortage(const Error& error) override;

  ServerCore& core_;
  LoopServer& home_;
  ListenOptions options_;
  std::unique_ptr<transport::Listener> listener_;
};

}  // namespace spanwire::rpc
