#include "tests/transport/link_contract_support.hpp"

namespace spanwire::transport {

TEST(Thin, TcpEcho) {
  testing::TestLoop test;
  Acceptor acceptor(test.loop());
  auto listener = listen(test.loop(), address_of("tcp://127.0.0.1:0"), {}, acceptor);
  ASSERT_TRUE(listener) << listener.error().message();
  auto dialled = test.run(dial(test.loop(), (*listener)->address(), DialOptions()));
  ASSERT_TRUE(dialled) << dialled.error().message();
  ASSERT_TRUE(test.until([&] { return acceptor.links.size() == 1; }));
  Recorder client, server;
  test.in_turn([&] {
    dialled->link->start(client);
    acceptor.links[0]->start(server);
    dialled->link->send_raw(bytes_of("hello"));
  });
  test.until([&] { return server.received == "hello"; });
  test.in_turn([&] { dialled->link->close(Errc::shutting_down); });
  test.until([&] { return server.closed && client.closed; });
  EXPECT_EQ(*server.closed, Errc::peer_closed);
  EXPECT_EQ(*client.closed, Errc::shutting_down);
}

}  // namespace spanwire::transport
