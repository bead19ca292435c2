// CURVE on one-way sockets: who gets in, and what the others are told.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "spanwire/base/counters.hpp"
#include "spanwire/rpc/one_way.hpp"
#include "spanwire/transport/zmq_security.hpp"
#include "tests/rpc/one_way_fixture.hpp"
#include "tests/support/log_capture.hpp"

namespace spanwire::rpc {
namespace {

using transport::CurveKeyPair;
using transport::CurveOptions;

class OneWayCurve : public OneWayTest {
 protected:
  void SetUp() override {
    OneWayTest::SetUp();
    for (const char* name : {"listener", "known", "stranger", "other"}) {
      ASSERT_TRUE(write_key_files(path(name), CurveKeyPair::generate().value(), false));
    }
    allow({"known"});
  }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  // The list, written anew.
  void allow(const std::vector<std::string>& names) {
    std::string text = "# who may connect\n";
    for (const std::string& name : names) {
      text += transport::read_public_key_file(path(name) + ".key")->text() + ' ' + name + '\n';
    }
    std::filesystem::remove(path("allowed"));
    std::ofstream(path("allowed")) << text;
  }
  OneWayOptions listening() const {
    OneWayOptions options;
    options.zmq.curve.secret_key_file = path("listener.key_secret");
    options.zmq.curve.allowed_keys = path("allowed");
    return options;
  }
  OneWayOptions connecting(const std::string& as, const std::string& to = "listener") const {
    OneWayOptions options;
    options.zmq.curve.secret_key_file = path(as + ".key_secret");
    options.zmq.curve.server_key_file = path(to + ".key");
    options.reconnect_first = options.reconnect_last = std::chrono::milliseconds(20);
    return options;
  }
  // What a pusher with these options is told.
  Errc connect(const std::string& at, OneWayOptions options) {
    Pusher one(runtime_, options.connect(at));
    const Result<void> started = one.start();
    if (!started) return started.error().code();
    const Result<void> connected = one.connected_blocking(soon());
    if (!connected) {
      EXPECT_FALSE(connected.error().detail().empty());
      return connected.error().code();
    }
    EXPECT_TRUE(one.push_blocking(soon(), "p", Slice::of_static("x")));
    EXPECT_TRUE(puller().receive_blocking());
    return Errc::ok;
  }
};

TEST_F(OneWayCurve, TheRightKeyGetsInAndNoOther) {
  const testing::LogCapture log;
  const std::string at = listen_puller(address("tcp"), listening());
  EXPECT_EQ(connect(at, connecting("known")), Errc::ok);
  EXPECT_EQ(connect(at, connecting("stranger")), Errc::security_refused);
  EXPECT_TRUE(log.contains("a ZeroMQ client was refused"));
  EXPECT_TRUE(log.contains(transport::read_public_key_file(path("stranger.key"))->text()));
  EXPECT_EQ(connect(at, connecting("known", "other")), Errc::security_failed);
  EXPECT_EQ(connect(at, OneWayOptions()), Errc::security_mismatch);
  EXPECT_EQ(connect(at, connecting("known")), Errc::ok) << "nobody else is disturbed";
}

TEST_F(OneWayCurve, AClientWithKeysDoesNotSpeakToAListenerWithout) {
  const std::string at = listen_puller(address("tcp"));
  EXPECT_EQ(connect(at, connecting("known")), Errc::security_mismatch);
  EXPECT_EQ(connect(at, OneWayOptions()), Errc::ok);
}

// Somebody else may come yet.
TEST_F(OneWayCurve, WhoIsRefusedDoesNotEndTheListenersWait) {
  const std::string at = listen_puller(address("tcp"), listening());
  EXPECT_EQ(connect(at, connecting("stranger")), Errc::security_refused);
  const auto briefly = trace::Context().with_timeout(std::chrono::milliseconds(20));
  EXPECT_EQ(puller().connected_blocking(briefly).error(), Errc::deadline_exceeded);
  Pusher known(runtime_, connecting("known").connect(at));
  ASSERT_TRUE(known.start());
  EXPECT_TRUE(puller().connected_blocking(soon()));
}

TEST_F(OneWayCurve, TheListIsReadAgainWhileRunning) {
  const std::string at = listen_puller(address("ipc"), listening());
  EXPECT_EQ(connect(at, connecting("known")), Errc::ok);
  allow({"stranger"});
  // The list looks once a second, when somebody comes.
  Errc outcome = Errc::ok;
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (outcome == Errc::ok && std::chrono::steady_clock::now() < give_up) {
    outcome = connect(at, connecting("known"));
  }
  EXPECT_EQ(outcome, Errc::security_refused);
  EXPECT_EQ(connect(at, connecting("stranger")), Errc::ok);
}

TEST_F(OneWayCurve, WhatIsMissingOrPublishedFailsTheStart) {
  const auto start = [&](const CurveOptions& curve) {
    OneWayOptions options;
    options.zmq.curve = curve;
    Puller one(runtime_, options.listen(address("tcp")));
    const Result<void> started = one.start();
    return started ? Errc::ok : started.error().code();
  };
  CurveOptions curve = listening().zmq.curve;
  EXPECT_EQ(start(curve), Errc::ok);
  curve.allowed_keys.clear();
  EXPECT_EQ(start(curve), Errc::invalid_argument);
  curve.allowed_keys = path("missing");
  EXPECT_EQ(start(curve), Errc::file_open_failed);
  curve = listening().zmq.curve;
  curve.secret_key_file = path("missing");
  EXPECT_EQ(start(curve), Errc::file_open_failed);
  std::filesystem::permissions(path("other.key_secret"), std::filesystem::perms(0644));
  curve.secret_key_file = path("other.key_secret");
  EXPECT_EQ(start(curve), Errc::file_permissions);
  std::ofstream(path("allowed")) << "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID\n";
  EXPECT_EQ(start(listening().zmq.curve), Errc::key_published);
  OneWayOptions both = connecting("known");
  both.listen(address("tcp")).connect("zmq+tcp://127.0.0.1:1");
  EXPECT_EQ(Puller(runtime_, both).start().error(), Errc::invalid_argument);
}

}  // namespace
}  // namespace spanwire::rpc
