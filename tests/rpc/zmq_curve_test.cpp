// CURVE under calls: who is served, what the others are told, and what a change of the list does.
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>

#include "spanwire/transport/zmq_security.hpp"
#include "tests/rpc/rpc_fixture.hpp"
#include "tests/support/key_folder.hpp"

namespace spanwire::rpc {
namespace {

using transport::CurveOptions;

class CurveCalls : public testing::KeyFolder {
 protected:
  void SetUp() override {
    KeyFolder::SetUp();
    for (const char* name : {"server", "known", "stranger", "other"}) {
      ASSERT_TRUE(write_key_files(path(name), new_keys(), false));
    }
    allow("known");
    ServerOptions options;
    options.listen("zmq+tcp://127.0.0.1:0");
    options.zmq.curve.secret_key_file = path("server.key_secret");
    options.zmq.curve.allowed_keys = path("allowed");
    server_ = std::make_unique<Server>(runtime_, options);
    server_->handle("test/echo", echo);
    server_->handle("test/upper", upper);
    const Result<void> started = server_->start();
    ASSERT_TRUE(started) << started.error().message();
  }
  void TearDown() override {
    server_.reset();
    KeyFolder::TearDown();
  }

  void allow(const std::string& name) {
    write("allowed", transport::read_public_key_file(path(name + ".key"))->text() + "\n");
  }
  CurveOptions keys(const std::string& own, const std::string& server = "server") const {
    CurveOptions curve;
    curve.secret_key_file = path(own + ".key_secret");
    curve.server_key_file = path(server + ".key");
    return curve;
  }
  Client client(const CurveOptions& curve) {
    ClientOptions options;
    options.zmq.curve = curve;
    return Client(runtime_, server_->addresses().at(0), options);
  }
  static Result<Reply> call(Client& client, std::string_view payload = "x") {
    return client.call_blocking({}, "test/echo", Slice::copy_of(payload));
  }
  // What a client with these keys is told of its first call.
  Error first_error(const CurveOptions& curve) {
    Client one = client(curve);
    const Result<Reply> reply = call(one);
    return reply ? Error() : reply.error();
  }
  static bool says(const Error& error, std::string_view words) {
    return error.message().find(words) != std::string::npos;
  }

  testing::LeakCheck leaks_;
  Runtime runtime_;
  std::unique_ptr<Server> server_;
};

TEST_F(CurveCalls, AClientOnTheListIsServed) {
  Client known = client(keys("known"));
  const Result<Reply> reply = call(known, std::string(100'000, 'x'));
  ASSERT_TRUE(reply) << reply.error().message();
  EXPECT_EQ(reply->payload().size(), 100'000u);
  EXPECT_EQ(known.call_blocking({}, "test/upper", Slice::copy_of("loud"))->payload().text(),
            "LOUD");
}

TEST_F(CurveCalls, WhoIsNotIsToldWhy) {
  Client known = client(keys("known"));
  ASSERT_TRUE(call(known));
  const Error stranger = first_error(keys("stranger"));
  EXPECT_TRUE(says(stranger, "security_refused")) << stranger.message();
  EXPECT_TRUE(says(stranger, "refused by the authenticator")) << stranger.message();
  const Error wrong_server = first_error(keys("known", "other"));
  EXPECT_TRUE(says(wrong_server, "security_failed")) << wrong_server.message();
  EXPECT_TRUE(says(wrong_server, "is its key the one")) << wrong_server.message();
  // Or "does it want CURVE": who hangs up first decides.
  const Error plain = first_error({});
  EXPECT_TRUE(says(plain, "wants CURVE") || says(plain, "want CURVE")) << plain.message();
  EXPECT_TRUE(says(first_error(keys("nobody")), "file_open_failed"));
  EXPECT_TRUE(call(known)) << "nobody else is disturbed";
}

TEST_F(CurveCalls, AChangedListHoldsForWhoComesNextAndCutsNobody) {
  Client early = client(keys("known"));
  ASSERT_TRUE(call(early));
  allow("stranger");
  // The list looks once a second, when somebody comes.
  const auto give_up = std::chrono::steady_clock::now() + kGuard;
  Error late = first_error(keys("known"));
  while (late.code() == Errc::ok && std::chrono::steady_clock::now() < give_up) {
    late = first_error(keys("known"));
  }
  EXPECT_TRUE(says(late, "security_refused")) << late.message();
  EXPECT_EQ(first_error(keys("stranger")).code(), Errc::ok);
  EXPECT_TRUE(call(early)) << "connections that stand are not cut";
}

}  // namespace
}  // namespace spanwire::rpc
