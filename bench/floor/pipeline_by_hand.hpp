// The floor of otlp/pipeline: the floors of its parts put together.  Spans recorded as in
// span_by_hand.hpp, by a thread that waits for the ring; a second thread that takes them in
// batches, encodes them as in otlp_protobuf_by_hand.hpp and posts each over one HTTP/1.1 connection
// that is kept alive: one gathering write, one blocking read.  No retry, no deadline, no proxy, no
// answer but 200.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>
#include <thread>

#include "bench/floor/otlp_protobuf_by_hand.hpp"
#include "bench/floor/span_by_hand.hpp"

namespace spanwire::floor {

class PostByHand {
 public:
  explicit PostByHand(int port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    if (connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) fail();
    const int on = 1;
    setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  ~PostByHand() { close(socket_); }
  PostByHand(const PostByHand&) = delete;
  PostByHand& operator=(const PostByHand&) = delete;

  void post(std::string_view body) {
    char head[256];
    const int head_bytes = std::snprintf(head, sizeof head,
                                         "POST /v1/traces HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                                         "Content-Type: application/x-protobuf\r\n"
                                         "Content-Length: %zu\r\n\r\n",
                                         body.size());
    iovec parts[2] = {{head, static_cast<std::size_t>(head_bytes)},
                      {const_cast<char*>(body.data()), body.size()}};
    write_all(parts);
    read_answer();
  }

 private:
  [[noreturn]] static void fail() {
    std::perror("floor: the sink");
    std::abort();
  }

  void write_all(iovec (&parts)[2]) {
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = 2;
    for (std::size_t left = parts[0].iov_len + parts[1].iov_len; left > 0;) {
      const ssize_t sent = sendmsg(socket_, &message, MSG_NOSIGNAL);
      if (sent <= 0) fail();
      left -= static_cast<std::size_t>(sent);
      for (auto done = static_cast<std::size_t>(sent); iovec & part : parts) {
        const std::size_t here = std::min(done, part.iov_len);
        part.iov_base = static_cast<char*>(part.iov_base) + here;
        part.iov_len -= here;
        done -= here;
      }
    }
  }

  // Of a sink that answers without a body.
  void read_answer() {
    char answer[512];
    std::size_t bytes = 0;
    while (!std::string_view(answer, bytes).ends_with("\r\n\r\n")) {
      const ssize_t got = recv(socket_, answer + bytes, sizeof answer - bytes, 0);
      if (got <= 0) fail();
      bytes += static_cast<std::size_t>(got);
    }
    if (!std::string_view(answer, bytes).starts_with("HTTP/1.1 200 ")) fail();
  }

  int socket_;
};

class PipelineByHand {
 public:
  // `resource` and `scope`: whole fields.
  PipelineByHand(int port, std::string resource, std::string scope, std::size_t batch_spans)
      : post_(port),
        resource_(std::move(resource)),
        scope_(std::move(scope)),
        batch_spans_(batch_spans),
        thread_([this] { run(); }) {}
  ~PipelineByHand() {
    stop_.store(true);
    ring_.wake();
    thread_.join();
    if (ring_.dropped != 0) std::fprintf(stderr, "floor: spans were dropped\n");
  }

  // Of the one thread that records.
  SpanRing& ring() noexcept { return ring_; }

 private:
  void run() {
    while (!stop_.load()) {
      const std::uint32_t wakes = ring_.wakes.load();
      const std::uint64_t end = ring_.published.load(std::memory_order_acquire);
      const std::uint64_t at = ring_.head.load();
      if (at == end) {
        ring_.wakes.wait(wakes);
        continue;
      }
      const std::uint64_t place = at % SpanRing::kSlots;
      const std::uint64_t count =
          std::min<std::uint64_t>({end - at, batch_spans_, SpanRing::kSlots - place});
      bytes_.clear();
      write_batch(bytes_, std::span(ring_.slots.get() + place, count), resource_, scope_);
      // The spans are in the request now: their places are free.
      ring_.head.store(at + count, std::memory_order_release);
      post_.post(bytes_.view());
    }
  }

  SpanRing ring_;
  PostByHand post_;
  ProtobufBytes bytes_{1u << 20};
  const std::string resource_;
  const std::string scope_;
  const std::size_t batch_spans_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace spanwire::floor
