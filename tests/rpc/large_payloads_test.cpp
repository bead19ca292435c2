// Many large payloads on one connection, within the default limits.
#include <string>
#include <vector>

#include "tests/rpc/rpc_fixture.hpp"

namespace spanwire::rpc {
namespace {

Task<Result<Reply>> echo_of(Client* client, Slice payload) {
  Result<Reply> reply = co_await client->call(trace::Context(), "test/echo", std::move(payload));
  co_return reply;
}

Task<std::vector<Result<Reply>>> all_at_once(Client* client, Slice payload, int calls) {
  std::vector<Task<Result<Reply>>> tasks;
  for (int i = 0; i < calls; ++i) tasks.push_back(echo_of(client, payload));
  std::vector<Result<Reply>> replies = co_await when_all(std::move(tasks));
  co_return replies;
}

TEST_F(RpcTest, ManyLargePayloadsInFlightOnOneConnectionAllArrive) {
  ClientOptions options;
  options.connections_per_endpoint_max = 1;
  options.default_timeout = std::chrono::minutes(5);  // 600 MB: how long it takes is not the point
  Client& one_connection = client(options);
  const std::string text(1u << 20, 'x');
  const auto replies = runtime_.block_on(all_at_once(&one_connection, Slice::copy_of(text), 300));
  for (const Result<Reply>& reply : *replies) {
    ASSERT_TRUE(reply) << reply.error().message();
    EXPECT_TRUE(reply->payload().text() == text);
  }
}

}  // namespace
}  // namespace spanwire::rpc
