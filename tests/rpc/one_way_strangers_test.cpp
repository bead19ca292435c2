// Strangers at the port of one-way messages: whatever they are, who is connected stays it.
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <string>
#include <string_view>

#include "tests/rpc/counted.hpp"
#include "tests/rpc/one_way_fixture.hpp"
#include "tests/rpc/raw_zmq.hpp"
#include "tests/support/log_capture.hpp"

namespace spanwire::rpc {
namespace {

using testing::RawZmq;

// Connects, says `bytes` and that nothing follows, and waits until the other side closes.
void visit(std::string_view address, std::string_view bytes) {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(
      static_cast<std::uint16_t>(std::stoul(std::string(address.substr(address.rfind(':') + 1)))));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof(to)), 0);
  EXPECT_EQ(::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(bytes.size()));
  ::shutdown(fd, SHUT_WR);
  char waste[256];
  while (::recv(fd, waste, sizeof(waste), 0) > 0) {
  }
  ::close(fd);
}

// A pusher that listens, with a puller that is there to stay.
class OneWayStrangers : public OneWayTest {
 protected:
  void SetUp() override {
    OneWayTest::SetUp();
    pusher_ = std::make_unique<Pusher>(runtime_, OneWayOptions().listen("zmq+tcp://127.0.0.1:0"));
    ASSERT_TRUE(pusher_->start());
    address_ = pusher_->addresses().at(0);
    puller_ = std::make_unique<Puller>(runtime_, OneWayOptions().connect(address_));
    ASSERT_TRUE(puller_->start());
    ASSERT_TRUE(puller_->connected_blocking(soon()));
    ASSERT_TRUE(pusher_->connected_blocking(soon()));
    // The log holds back what it has just said, by whichever clock.
    static int year = 0;
    log_.clock().advance(std::chrono::hours(24 * 365) * ++year);
    failed_ = counted("spanwire.zmq.handshake_failed");
    lost_ = counted("spanwire.zmq.senders_disconnected");
    disconnected_ = counted("spanwire.zmq.disconnected");
  }

  // The stranger has come and gone, and nobody was taken for him.
  void expect_unmoved() {
    EXPECT_TRUE(reaches("spanwire.zmq.disconnected", disconnected_ + 1));
    EXPECT_TRUE(reaches("spanwire.zmq.handshake_failed", failed_ + 1));
    EXPECT_TRUE(
        pusher_->connected_blocking(trace::Context().with_timeout(std::chrono::seconds(1))));
    EXPECT_EQ(counted("spanwire.zmq.senders_disconnected"), lost_);
    EXPECT_TRUE(pusher_->push_blocking(soon(), "p", Slice::of_static("still there")));
    EXPECT_TRUE(puller_->receive_blocking());
  }

  std::string address_;
  testing::LogCapture log_;
  std::int64_t failed_ = 0;
  std::int64_t lost_ = 0;
  std::int64_t disconnected_ = 0;
};

TEST_F(OneWayStrangers, ABrowserIsNoPeerThatWentAway) {
  visit(address_, "GET / HTTP/1.1\r\nHost: worker\r\n\r\n");
  expect_unmoved();
  EXPECT_TRUE(log_.contains("no ZeroMQ at all"));
}

// Whichever side sees it first: where it is we, libzmq tells no reason.
TEST_F(OneWayStrangers, AnotherKindOfSocketIsSaid) {
  {
    const RawZmq request(ZMQ_REQ, address_.substr(std::string_view("zmq+").size()));
    EXPECT_TRUE(reaches("spanwire.zmq.disconnected", disconnected_ + 1));
  }
  expect_unmoved();
  EXPECT_TRUE(log_.contains("another kind of ZeroMQ socket"));
}

}  // namespace
}  // namespace spanwire::rpc
