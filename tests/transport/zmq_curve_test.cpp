// CURVE on links: who gets in, and what the others are told.
#include <gtest/gtest.h>

#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "spanwire/transport/dial.hpp"
#include "spanwire/transport/listen.hpp"
#include "tests/support/key_folder.hpp"
#include "tests/support/test_loop.hpp"

namespace spanwire::transport {
namespace {

class ZmqCurve : public testing::KeyFolder, protected AcceptEvents {
 protected:
  void SetUp() override {
    KeyFolder::SetUp();
    for (const char* name : {"listener", "known", "stranger", "other"}) {
      ASSERT_TRUE(write_key_files(path(name), new_keys(), false));
    }
    write("allowed", read_public_key_file(path("known.key"))->text() + " known\n");
  }
  void on_accept(Incoming incoming) override { accepted_.push_back(std::move(incoming)); }

  Address listen_with(bool curve) {
    ListenOptions options;
    if (curve) {
      options.zmq.curve.secret_key_file = path("listener.key_secret");
      options.zmq.curve.allowed_keys = path("allowed");
    }
    Result<std::unique_ptr<Listener>> listener =
        listen(test_.loop(), *parse_address("zmq+tcp://127.0.0.1:0"), options, *this);
    EXPECT_TRUE(listener) << listener.error().message();
    listener_ = std::move(*listener);
    return listener_->address();
  }
  Errc dial_with(const Address& address, const CurveOptions& curve) {
    DialOptions options;
    options.zmq.curve = curve;
    Result<Dialled> dialled = test_.run(dial(test_.loop(), address, options));
    // The other end may have hung up before libzmq saw why.
    const Errc untold = curve.empty() ? Errc::connect_failed : Errc::security_failed;
    for (int i = 0; i < 20 && !dialled && dialled.error() == untold; ++i) {
      dialled = test_.run(dial(test_.loop(), address, options));
    }
    if (!dialled) {
      EXPECT_FALSE(dialled.error().detail().empty());
      return dialled.error().code();
    }
    return Errc::ok;
  }
  CurveOptions keys(const std::string& own, const std::string& listener = "listener") const {
    CurveOptions curve;
    curve.secret_key_file = path(own + ".key_secret");
    curve.server_key_file = path(listener + ".key");
    return curve;
  }

  testing::TestLoop test_;
  std::vector<Incoming> accepted_;
  std::unique_ptr<Listener> listener_;
};

TEST_F(ZmqCurve, TheRightKeyGetsInAndNoOther) {
  const Address at = listen_with(true);
  EXPECT_EQ(dial_with(at, keys("known")), Errc::ok);
  EXPECT_EQ(dial_with(at, keys("stranger")), Errc::security_refused);
  EXPECT_EQ(dial_with(at, keys("known", "other")), Errc::security_failed);
  EXPECT_EQ(dial_with(at, CurveOptions()), Errc::security_mismatch);
  EXPECT_EQ(dial_with(at, keys("known")), Errc::ok);
}

TEST_F(ZmqCurve, KeysAgainstAListenerWithoutAreAMismatch) {
  const Address at = listen_with(false);
  EXPECT_EQ(dial_with(at, keys("known")), Errc::security_mismatch);
  EXPECT_EQ(dial_with(at, CurveOptions()), Errc::ok);
}

// Who asked for encryption does not get a connection without.
TEST_F(ZmqCurve, KeysAreNotLeftUnusedOverTcp) {
  for (const char* at : {"tcp://127.0.0.1:7001", "dynamo+tcp://127.0.0.1:7001"}) {
    const Result<Dialled> dialled = test_.run(dial(test_.loop(), *parse_address(at), [&] {
      DialOptions options;
      options.zmq.curve = keys("known");
      return options;
    }()));
    ASSERT_FALSE(dialled);
    EXPECT_EQ(dialled.error(), Errc::invalid_argument) << dialled.error().message();
    EXPECT_NE(dialled.error().detail().find(at), std::string_view::npos);
  }
  ListenOptions options;
  options.zmq.curve.secret_key_file = path("listener.key_secret");
  options.zmq.curve.allowed_keys = path("allowed");
  const auto listener = listen(test_.loop(), *parse_address("tcp://127.0.0.1:0"), options, *this);
  ASSERT_FALSE(listener);
  EXPECT_EQ(listener.error(), Errc::invalid_argument);
  // Nothing leaves the machine there: the file's permissions decide, or there is nobody else.
  const std::string local = "unix://" + path("socket");
  EXPECT_TRUE(listen(test_.loop(), *parse_address(local), options, *this));
  EXPECT_TRUE(listen(test_.loop(), *parse_address("memory://with-keys"), options, *this));
}

TEST_F(ZmqCurve, WhatIsMissingFailsAtOnce) {
  const Address at = listen_with(true);
  CurveOptions curve = keys("known");
  curve.server_key_file.clear();
  EXPECT_EQ(dial_with(at, curve), Errc::invalid_argument);
  EXPECT_EQ(dial_with(at, keys("missing")), Errc::file_open_failed);
  ListenOptions options;
  options.zmq.curve.secret_key_file = path("listener.key_secret");
  const auto listener =
      listen(test_.loop(), *parse_address("zmq+tcp://127.0.0.1:0"), options, *this);
  ASSERT_FALSE(listener);
  EXPECT_EQ(listener.error(), Errc::invalid_argument);
}

}  // namespace
}  // namespace spanwire::transport
