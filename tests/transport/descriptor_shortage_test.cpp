// A listener whose process has no descriptor left.
#include <sys/resource.h>
#include <sys/socket.h>

#include <memory>
#include <vector>

#include "lib/transport/connect.hpp"
#include "spanwire/base/log.hpp"
#include "spanwire/transport/listen.hpp"
#include "tests/support/fork.hpp"
#include "tests/support/sanitized.hpp"
#include "tests/transport/link_contract_support.hpp"

namespace spanwire::transport {
namespace {

#ifndef SPANWIRE_TEST_SANITIZED
// In a child: a listener, three peers in its backlog, and then fewer descriptors.
struct Shortage {
  bool begin() {
    set_log_level(LogLevel::off);
    auto made = listen(test.loop(), address_of("tcp://127.0.0.1:0"), {}, acceptor);
    if (!made) return false;
    listener = std::move(*made);
    const SocketAddress address = numeric_address("127.0.0.1", listener->address().port).at(0);
    for (int i = 0; i < 3; ++i) {
      clients.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      if (::connect(clients.back().get(), address.get(), address.size) != 0) return false;
    }
    return ::getrlimit(RLIMIT_NOFILE, &before) == 0;
  }
  void leave(int descriptors) {
    const rlimit fewer{static_cast<rlim_t>(descriptors), before.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &fewer);
  }
  void rest_over() {
    clock.advance(kAcceptPause + std::chrono::milliseconds(2));
    test.in_turn([] {});
  }

  ManualClock clock;
  testing::TestLoop test{clock};
  Acceptor acceptor{test.loop()};
  std::unique_ptr<Listener> listener;
  std::vector<Fd> clients;
  rlimit before{};
};

// None is free, but for what the listener has kept: it closes what comes, without resting.
int refuse_without_descriptors() {
  Shortage shortage;
  if (!shortage.begin()) return 1;
  shortage.leave(shortage.clients.back().get() + 1);
  const ListenStats& stats = shortage.listener->stats();
  if (!shortage.test.until([&] { return stats.refused == 3; })) return 2;
  if (stats.pauses != 0 || shortage.acceptor.shortages.size() != 1) return 3;
  for (const Fd& client : shortage.clients) {
    char byte = 0;
    if (::recv(client.get(), &byte, 1, 0) > 0) return 4;
  }
  shortage.leave(static_cast<int>(shortage.before.rlim_cur));
  const Fd again(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const SocketAddress address =
      numeric_address("127.0.0.1", shortage.listener->address().port).at(0);
  if (::connect(again.get(), address.get(), address.size) != 0) return 5;
  return shortage.test.until([&] { return shortage.acceptor.links.size() == 1; }) ? 0 : 6;
}

// Not even that one may be opened: accepting rests, and recovers.
int rest_without_descriptors() {
  Shortage shortage;
  if (!shortage.begin()) return 1;
  shortage.leave(3);  // 0 to 2 are there
  const ListenStats& stats = shortage.listener->stats();
  for (std::uint64_t round = 1; round <= 3; ++round) {
    if (!shortage.test.until([&] { return stats.pauses == round; })) return 2;
    shortage.rest_over();
  }
  if (shortage.acceptor.shortages.size() != 1 || !shortage.acceptor.links.empty()) return 3;
  shortage.leave(static_cast<int>(shortage.before.rlim_cur));
  shortage.rest_over();
  return shortage.test.until([&] { return shortage.acceptor.links.size() == 3; }) ? 0 : 4;
}

TEST(Listener, RefusesAtOnceWhenDescriptorsRunOut) {
  EXPECT_EQ(testing::run_in_child(&refuse_without_descriptors), 0);
}

TEST(Listener, RestsWhenItsSpareDescriptorIsGoneTooAndRecovers) {
  EXPECT_EQ(testing::run_in_child(&rest_without_descriptors), 0);
}
#endif

}  // namespace
}  // namespace spanwire::transport
