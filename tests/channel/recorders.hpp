// Recorders of what channels tell, a peer that speaks raw bytes, and links between them.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "spanwire/channel/channel.hpp"
#include "spanwire/transport/dial.hpp"
#include "spanwire/transport/listen.hpp"
#include "spanwire/transport/memory_link.hpp"
#include "tests/support/test_loop.hpp"

namespace spanwire::channel {

// One call from the caller's side.
class CallLog final : public CallSink {
 public:
  void on_head(ByteView block) override { heads.emplace_back(text_of(block)); }
  void on_data(InBody body, bool end) override {
    data.emplace_back(text_of(body.bytes));
    data_end = data_end || end;
  }
  void on_writable() override { ++writable; }
  void on_reply(ReplyIn& reply) override {
    ++ends;
    status = reply.status;
    not_started = reply.not_started;
    message = std::string(reply.message);
    headers = std::string(text_of(reply.headers));
    payload = std::string(text_of(reply.payload.bytes));
    if (at_end) at_end();
  }
  void on_lost(const Error& cause, Progress how_far) override {
    ++ends;
    lost = cause.code();
    detail = std::string(cause.detail());
    progress = how_far;
    if (at_end) at_end();
  }

  bool ended() const noexcept { return ends != 0; }
  bool ok() const noexcept { return ends == 1 && status == 0; }

  int ends = 0;
  int writable = 0;
  std::vector<std::string> heads;
  std::vector<std::string> data;
  bool data_end = false;
  std::optional<int> status;
  bool not_started = false;
  std::string message;
  std::string headers;
  std::string payload;
  std::optional<Errc> lost;
  std::string detail;
  std::optional<Progress> progress;
  std::function<void()> at_end;
};

class ClientLog final : public ClientChannelEvents {
 public:
  void on_ready() override { ++ready; }
  void on_draining() override { ++draining; }
  void on_free() override { ++free; }
  void on_closed(const Error& cause) override {
    EXPECT_FALSE(closed) << "on_closed came twice";
    closed = cause.code();
    detail = std::string(cause.detail());
    if (at_closed) at_closed();
  }

  int ready = 0;
  int draining = 0;
  int free = 0;
  std::optional<Errc> closed;
  std::string detail;
  std::function<void()> at_closed;
};

// One call from the server's side.
class ServedLog final : public ServedCallSink {
 public:
  void on_data(InBody body, bool last) override {
    data.emplace_back(text_of(body.bytes));
    end = end || last;
  }
  void on_writable() override { ++writable; }
  void on_cancel(Errc reason) override { cancelled = reason; }
  void on_lost(const Error& cause) override {
    EXPECT_FALSE(lost) << "on_lost came twice";
    lost = cause.code();
  }

  CallId id = 0;
  std::string path;
  std::string headers;
  std::string payload;
  std::vector<std::string> data;
  bool end = false;
  int writable = 0;
  std::optional<Errc> cancelled;
  std::optional<Errc> lost;
};

// Answers "echo" at once, refuses "refuse/N" with status N, keeps every other call.
class ServerLog final : public ServerChannelEvents {
 public:
  void on_request(ServerChannel& channel, RequestIn& request) override {
    auto& call = calls.emplace_back(std::make_unique<ServedLog>());
    call->id = request.id;
    call->path = std::string(request.path);
    call->headers = std::string(text_of(request.headers));
    call->payload = std::string(text_of(request.payload.bytes));
    ReplyOut reply;
    if (request.path.starts_with("refuse/")) {
      reply.status = static_cast<std::uint8_t>(std::stoi(std::string(request.path.substr(7))));
      reply.not_started = true;
      reply.message = "not today";
      return channel.reply(request.id, reply);
    }
    channel.attach(request.id, *call);
    if (request.path != "echo") return;
    reply.headers = request.headers;
    reply.payload = request.payload.take();
    channel.reply(request.id, reply);
  }
  void on_refused(ServerChannel&) override { ++refused; }
  void on_closed(ServerChannel&, const Error& cause) override {
    EXPECT_FALSE(closed) << "on_closed came twice";
    closed = cause.code();
    detail = std::string(cause.detail());
    if (at_closed) at_closed();
  }

  std::vector<std::unique_ptr<ServedLog>> calls;
  int refused = 0;
  std::optional<Errc> closed;
  std::string detail;
  std::function<void()> at_closed;
};

// Links of one connection over the loopback, made by a real listener.
class TcpPair final : public transport::AcceptEvents {
 public:
  explicit TcpPair(testing::TestLoop& test) : test_(test) {}

  void on_accept(transport::Incoming incoming) override {
    Result<std::unique_ptr<transport::Link>> link = incoming.open(test_.loop());
    ASSERT_TRUE(link) << link.error().message();
    accepted_ = std::move(*link);
  }

  transport::MemoryLinks make(bool quick_ack = false) {
    return make_at("tcp://127.0.0.1:0", quick_ack);
  }
  transport::MemoryLinks make_at(std::string_view where, bool quick_ack = false) {
    const Result<transport::Address> address = transport::parse_address(where);
    listener_ = *transport::listen(test_.loop(), *address, {}, *this);
    transport::DialOptions options;
    options.quick_ack = quick_ack;
    Result<transport::Dialled> dialled =
        test_.run(transport::dial(test_.loop(), listener_->address(), options));
    EXPECT_TRUE(dialled) << dialled.error().message();
    test_.until([&] { return accepted_ != nullptr; });
    return {std::move(dialled->link), std::move(accepted_)};
  }

 private:
  testing::TestLoop& test_;
  std::unique_ptr<transport::Listener> listener_;
  std::unique_ptr<transport::Link> accepted_;
};

// A peer without a protocol: says the bytes that it is told to and keeps what it hears.
class RawPeer final : public transport::LinkEvents {
 public:
  void start(std::unique_ptr<transport::Link> link) {
    link_ = std::move(link);
    link_->start(*this);
  }
  void say(std::string_view bytes) { link_->send_raw(bytes_of(bytes)); }
  transport::Link& link() noexcept { return *link_; }
  // Breaks the connection off.
  void vanish() { link_.reset(); }

  void on_bytes(ByteView bytes, Block&) override {
    heard.append(text_of(bytes));
    if (at_bytes) at_bytes();
  }
  void on_message(std::span<Slice>) override {}
  void on_writable() override {}
  void on_closed(const Error& cause) override { closed = cause.code(); }

  std::string heard;
  std::optional<Errc> closed;
  std::function<void()> at_bytes;

 private:
  std::unique_ptr<transport::Link> link_;
};

inline std::string pattern(std::size_t size) {
  std::string bytes(size, 'x');
  for (std::size_t i = 0; i < size; i += 251) bytes[i] = static_cast<char>('a' + i / 251 % 26);
  return bytes;
}

}  // namespace spanwire::channel
