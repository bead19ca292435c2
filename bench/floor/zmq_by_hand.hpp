// A socket of libzmq as a program without a library of ours has it: blocking.
#pragma once

#include <sched.h>
#include <zmq.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace spanwire::bench {

// A socket whose messages are read part by part into the same places.  With `batch` libzmq's
// thread does not interrupt this one, and runs after some messages.
class ZmqByHand {
 public:
  explicit ZmqByHand(int type, bool batch = false)
      : context_(make_context(batch)), socket_(zmq_socket(context_, type)), batch_(batch) {
    for (zmq_msg_t& part : parts_) zmq_msg_init(&part);
    const int linger = 0;
    zmq_setsockopt(socket_, ZMQ_LINGER, &linger, sizeof linger);
  }
  ~ZmqByHand() {
    for (zmq_msg_t& part : parts_) zmq_msg_close(&part);
    zmq_close(socket_);
    zmq_ctx_term(context_);
  }
  ZmqByHand(const ZmqByHand&) = delete;
  ZmqByHand& operator=(const ZmqByHand&) = delete;

  void* get() const { return socket_; }
  // Waits for one whole message; returns its number of parts.
  std::size_t receive() {
    if (batch_ && ++messages_ % kMessagesAtOnce == 0) sched_yield();
    for (std::size_t count = 0; count < kPartsMax;) {
      if (zmq_msg_recv(&parts_[count], socket_, 0) < 0) std::abort();
      if (zmq_msg_more(&parts_[count++]) == 0) return count;
    }
    std::abort();
  }
  zmq_msg_t& part(std::size_t index) { return parts_[index]; }
  std::string_view text(std::size_t index) {
    return {static_cast<const char*>(zmq_msg_data(&parts_[index])), zmq_msg_size(&parts_[index])};
  }
  void send(const void* data, std::size_t bytes, int flags) {
    if (zmq_send(socket_, data, bytes, flags) < 0) std::abort();
  }
  // Hands a received part on without a copy.
  void send_part(std::size_t index, int flags) {
    if (zmq_msg_send(&parts_[index], socket_, flags) < 0) std::abort();
  }

 private:
  static constexpr std::size_t kPartsMax = 5;
  static constexpr unsigned kMessagesAtOnce = 32;

  static void* make_context(bool batch) {
    void* const context = zmq_ctx_new();
    if (batch) zmq_ctx_set(context, ZMQ_THREAD_SCHED_POLICY, SCHED_BATCH);
    return context;
  }

  void* context_;
  void* socket_;
  bool batch_;
  unsigned messages_ = 0;
  std::array<zmq_msg_t, kPartsMax> parts_;
};

inline int port_of(void* socket) {
  char endpoint[128];
  std::size_t size = sizeof endpoint;
  zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, endpoint, &size);
  return std::atoi(std::strrchr(endpoint, ':') + 1);
}

}  // namespace spanwire::bench
