// One session against a peer that is a script: frames go in as bytes, what the session sends and
// says is written down.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "spanwire/session/session.hpp"
#include "tests/session/frames.hpp"
#include "tests/session/simulated_link.hpp"

namespace spanwire::session {

struct SentFrame {
  FrameType type{};
  std::uint32_t id = 0;
  std::uint8_t flags = 0;
  std::string body;
};

struct Heard {
  std::string what;  // "request", "reply", "data", ...
  void* user = nullptr;
  std::uint32_t id = 0;
  std::string path{};  // of a reply: its message
  std::string payload{};
  std::uint8_t status = 0;
  bool flag = false;  // end, not_started
  Errc code = Errc::ok;
  Progress progress{};
};

class Machine final : public wire::FrameSink, public SessionEvents {
 public:
  explicit Machine(Role role, SessionOptions options = {})
      : client_(role == Role::client), session((options.role = role, options), *this, *this) {}

  // ---- Script
  void start() { session.start(now); }
  // Through the handshake; what was sent and heard until then is forgotten.
  void shake_hands(const wire::Hello& peer = {}) {
    start();
    feed((client_ ? "" : preface()) + hello(peer));
    EXPECT_EQ(session.state(), State::ready);
    sent();
    heard.clear();
  }
  void feed(std::string_view bytes) {
    Block* block = Block::make(bytes.size());
    std::memcpy(block->data(), bytes.data(), bytes.size());
    session.on_bytes({block->data(), bytes.size()}, block, now);
    block->release();
  }
  void pass(std::chrono::nanoseconds by) {
    now.monotonic += by;
    now.wall += by;
    session.on_timer(now);
  }
  // What the session has sent since the last call.
  std::vector<SentFrame> sent() {
    if (out_.starts_with(preface())) out_.erase(0, preface().size());
    std::vector<SentFrame> frames;
    reader_.feed(bytes_of(out_));
    wire::InFrame in;
    while (reader_.next(in)) {
      frames.push_back({static_cast<FrameType>(in.header.type), in.header.stream_id,
                        in.header.flags, text(in.body)});
    }
    out_.clear();
    return frames;
  }
  Heard last() const { return heard.empty() ? Heard{"nothing"} : heard.back(); }
  std::size_t count(std::string_view what) const {
    std::size_t found = 0;
    for (const Heard& one : heard) found += one.what == what ? 1 : 0;
    return found;
  }

  Result<std::uint32_t> open(std::string_view path, std::string_view payload = {},
                             bool stream = false) {
    RequestOut out;
    out.path = path;
    out.headers = bytes_of("{}");
    out.payload = Slice::copy_of(payload);
    out.stream = stream;
    out.end = !stream;
    return session.open(out, &user_);
  }
  Result<bool> write(std::uint32_t id, std::string_view payload, bool last = false) {
    Slice slice = Slice::copy_of(payload);
    return session.write(id, slice, last);
  }
  void answer(std::uint32_t id, std::string_view payload = {}, std::uint8_t status = 0) {
    ReplyOut out;
    out.status = status;
    out.payload = Slice::copy_of(payload);
    session.reply(id, out);
  }

  // ---- Link
  void send(wire::OutFrame& out) override {
    std::string bytes(wire::byte_head_bytes(out), '\0');
    wire::write_byte_head(out, bytes.size(), reinterpret_cast<std::byte*>(bytes.data()));
    bytes.append(out.payload.text());
    send_raw(bytes_of(bytes));
  }
  void send_raw(ByteView bytes) override {
    out_.append(text_of(bytes));
    taken_ += bytes.size();
    if (!unsubmitted) submitted_ = taken_;
  }
  std::size_t queued_bytes() const noexcept override { return queued; }
  std::uint64_t bytes_taken() const noexcept override { return taken_; }
  std::uint64_t bytes_submitted() const noexcept override { return submitted_; }

  // ---- Events
  void on_ready() override { add({"ready"}); }
  void on_draining() override { add({"draining"}); }
  void on_free() override { add({"free"}); }
  void on_request(RequestIn& in) override {
    Heard one{"request", nullptr, in.id, std::string(in.path), text(in.payload.bytes)};
    one.flag = in.end;
    add(std::move(one));
    if (attach_to != nullptr) session.attach(in.id, attach_to);
  }
  void on_refused() override { ++refused; }
  void on_cancel(void* user, Errc reason) override {
    Heard one{"cancel", user};
    one.code = reason;
    add(std::move(one));
  }
  void on_head(void* user, ByteView) override { add({"head", user}); }
  void on_reply(void* user, ReplyIn& in) override {
    Heard one{"reply", user, 0, std::string(in.message), text(in.payload.bytes), in.status};
    one.flag = in.not_started;
    add(std::move(one));
  }
  void on_data(void* user, Body& in, bool last) override {
    Heard one{"data", user, 0, {}, text(in.bytes)};
    one.flag = last;
    add(std::move(one));
  }
  void on_writable(void* user) override { add({"writable", user}); }
  void on_lost(void* user, const Error& cause, Progress progress) override {
    Heard one{"lost", user};
    one.code = cause.code();
    one.progress = progress;
    add(std::move(one));
  }
  void on_pause(bool paused) override { add({paused ? "pause" : "resume"}); }
  void on_end(const Error& cause) override {
    add({"end"});
    end = cause.code();
  }

  Now now{MonotonicTime(std::chrono::seconds(100)), WallTime(std::chrono::seconds(1'000))};
  std::vector<Heard> heard;
  std::optional<Errc> end;
  int refused = 0;
  void* attach_to = this;    // user of every request
  std::size_t queued = 0;    // what the link says it has
  bool unsubmitted = false;  // no write is ever made

 private:
  void add(Heard one) { heard.push_back(std::move(one)); }

  bool client_;
  int user_ = 0;
  std::string out_;
  std::uint64_t taken_ = 0;
  std::uint64_t submitted_ = 0;
  wire::FrameReader reader_;

 public:
  Session session;
};

}  // namespace spanwire::session
