// The limits of connections that speak v1, as users set them.
#include <thread>

#include "spanwire/base/counters.hpp"
#include "spanwire/rpc/options.hpp"
#include "spanwire/wire/v1.hpp"
#include "tests/rpc/gate.hpp"
#include "tests/rpc/raw_listener.hpp"
#include "tests/rpc/rpc_fixture.hpp"

namespace spanwire::rpc {
namespace {

class V1Options : public RpcTest {
 protected:
  // Of a server that takes connections and says nothing.
  Client& client_of_silence(ClientOptions options) {
    client_ = std::make_unique<Client>(runtime_, "dynamo+tcp://" + silence_.endpoint(), options);
    return *client_;
  }
  Client& v1_client(ClientOptions options = {}) {
    const Result<std::string> bound = server().listen("tcp://127.0.0.1:0");
    EXPECT_TRUE(bound && server().start());
    client_ = std::make_unique<Client>(runtime_, "dynamo+" + *bound, options);
    return *client_;
  }
  ~V1Options() override { client_.reset(); }

  RawListener silence_;
};

TEST_F(V1Options, AcknowledgementTimeoutEndsASilentConnection) {
  ClientOptions options;
  options.v1_acknowledgement_timeout = std::chrono::milliseconds(10);
  client_of_silence(options);
  const Result<Reply> reply = call("test/echo", "x");
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code(), Errc::connection_lost);
  EXPECT_EQ(call_failure(reply.error())->cause, Errc::acknowledgement_timeout);
}

TEST_F(V1Options, InFlightMaxKeepsCallsBack) {
  ClientOptions options;
  options.v1_in_flight_max = 1;
  options.v1_acknowledgement_timeout = kNoTimeout;
  options.connections_per_endpoint_max = 1;
  client_of_silence(options);
  CallOptions hasty;
  hasty.timeout = std::chrono::milliseconds(20);
  Result<Reply> first = call("test/echo", "x", hasty);
  // On a busy machine connecting may take longer.
  while (!first && call_failure(first.error())->reached == Reached::not_sent) {
    first = call("test/echo", "x", hasty);
  }
  const Result<Reply> second = call("test/echo", "x", hasty);
  ASSERT_TRUE(!first && !second);
  EXPECT_EQ(call_failure(first.error())->reached, Reached::sent);
  EXPECT_EQ(call_failure(second.error())->reached, Reached::not_sent);
}

TEST_F(V1Options, MessageBytesMaxRefusesALongerRequest) {
  ClientOptions options;
  options.v1_message_bytes_max = 1000;
  v1_client(options);
  EXPECT_TRUE(call("test/echo", std::string(500, 'x')));
  const Result<Reply> longer = call("test/echo", std::string(1000, 'x'));
  ASSERT_FALSE(longer);
  EXPECT_EQ(longer.error().code(), Errc::payload_too_long);
}

// Of a client that does not keep to it: that request is lost, the connection goes on.
TEST_F(V1Options, MessageBytesMaxHoldsOnTheServerToo) {
  ServerOptions options;
  options.v1_message_bytes_max = 1000;
  make_server(std::move(options));
  v1_client();
  const std::int64_t before = counter_snapshot().value("spanwire.channel.v1.damaged_requests");
  const Result<Reply> longer = call("test/echo", std::string(1000, 'x'));
  ASSERT_FALSE(longer);
  EXPECT_EQ(status_of(longer.error()), StatusCode::unavailable);
  EXPECT_EQ(call_failure(longer.error())->status_message, wire::kAckTooLong);
  EXPECT_EQ(call_failure(longer.error())->reached, Reached::not_started);
  EXPECT_TRUE(call("test/echo", std::string(500, 'x')));
  EXPECT_EQ(counter_snapshot().value("spanwire.channel.v1.damaged_requests"), before + 1);
}

TEST_F(V1Options, ServedMaxRefusesWhatIsMore) {
  Gate gate;
  ServerOptions options;
  options.v1_served_max = 1;
  make_server(std::move(options)).handle("test/gate", waits_at(gate), RunOn::pool(2));
  v1_client();
  // Acknowledged, and running from then on.
  EXPECT_TRUE(call("test/gate", ""));
  const Result<Reply> more = call("test/gate", "");
  ASSERT_FALSE(more);
  EXPECT_EQ(status_of(more.error()), StatusCode::resource_exhausted);
  EXPECT_EQ(call_failure(more.error())->reached, Reached::not_started);
  gate.open();
  server_.reset();
}

}  // namespace
}  // namespace spanwire::rpc
