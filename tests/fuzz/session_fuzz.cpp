// A session against any bytes: whatever comes, every stream ends once, credit is never negative and
// nothing is left behind; and whole requests and replies end alike on the short way and without it.
//
// Input: one byte of options (1 = client, 2 = multipart, 4 = in portions of one to eight bytes, 8 =
// without a valid handshake before), then what the peer sends; multipart messages as a count of
// parts and, for each, a length of two bytes and the part.
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <set>
#include <string>
#include <vector>

#include "spanwire/base/assert.hpp"
#include "spanwire/session/session.hpp"

namespace {

using namespace spanwire;

class Sink final : public wire::FrameSink {
 public:
  explicit Sink(std::string& said) : said_(said) {}

  void send(wire::OutFrame& frame) override {
    std::array<std::byte, 512> head;
    const std::size_t bytes = wire::byte_head_bytes(frame);
    SPANWIRE_ASSERT(bytes <= head.size());
    wire::write_byte_head(frame, bytes, head.data());
    said_.append(text_of(ByteView(head).first(bytes))).append(frame.payload.text());
    taken_ += wire::byte_body_bytes(frame) + 12;
  }
  void send_raw(ByteView bytes) override {
    said_.append(text_of(bytes));
    taken_ += bytes.size();
  }
  // Now and then the link is full.
  std::size_t queued_bytes() const noexcept override { return taken_ % 7 == 3 ? 1u << 30 : 0; }
  std::uint64_t bytes_taken() const noexcept override { return taken_; }
  std::uint64_t bytes_submitted() const noexcept override { return taken_ / 2; }

 private:
  std::string& said_;
  std::uint64_t taken_ = 0;
};

class User final : public session::SessionEvents {
 public:
  explicit User(std::string& said) : said_(said) {}

  void on_ready() override { said_ += "ready\n"; }
  void on_draining() override { said_ += "draining\n"; }
  void on_free() override { said_ += "free\n"; }
  void on_request(session::RequestIn& request) override {
    say("request", request.id, request.payload.bytes);
    said_.append(request.path).append(text_of(request.headers)) += request.end ? '.' : ',';
    SPANWIRE_ASSERT(running.insert(request.id).second);
    session->attach(request.id, user_of(request.id));
    if (request.payload.bytes.size() % 3 == 0) answer(request.id, request.payload.bytes.size());
  }
  void on_refused() override { said_ += "refused\n"; }
  void on_cancel(void* user, Errc reason) override {
    say("cancel", id_of(user), bytes_of(name(reason)));
    answer(id_of(user), 10);
  }
  void on_head(void* user, ByteView head) override {
    say("head", id_of(user), head);
    SPANWIRE_ASSERT(running.contains(id_of(user)));
  }
  void on_reply(void* user, session::ReplyIn& reply) override {
    say("reply", id_of(user), reply.payload.bytes);
    said_.append(reply.message).append(text_of(reply.headers));
    said_ += std::to_string(reply.status) + (reply.not_started ? " not started\n" : "\n");
    ended(user);
  }
  void on_data(void* user, session::Body& data, bool end_of_data) override {
    say(end_of_data ? "last" : "data", id_of(user), data.bytes);
    SPANWIRE_ASSERT(running.contains(id_of(user)));
    session->grant(id_of(user), data.bytes.size());
    Slice back = Slice::copy_of(data.bytes);
    static_cast<void>(session->write(id_of(user), back, false));
  }
  void on_writable(void* user) override { SPANWIRE_ASSERT(running.contains(id_of(user))); }
  void on_lost(void* user, const Error& cause, session::Progress progress) override {
    say("lost", id_of(user), bytes_of(cause.message()));
    said_ += static_cast<char>('0' + static_cast<int>(progress));
    ended(user);
  }
  void on_pause(bool paused) override { said_ += paused ? "pause\n" : "go\n"; }
  void on_end(const Error& cause) override {
    say("end", 0, bytes_of(cause.message()));
    SPANWIRE_ASSERT(!end);
    end = true;
  }

  void open_some() {
    for (int i = 0; i < 4; ++i) {
      session::RequestOut request;
      request.path = "path";
      request.payload = Slice::copy_of("payload");
      request.stream = i % 2 == 0;
      request.end = !request.stream;
      // The first id of a slot is known before it is given.
      const std::uint32_t id =
          wire::StreamId::make(false, static_cast<std::uint32_t>(i) + 1, 0).raw;
      const Result<std::uint32_t> opened = session->open(request, user_of(id));
      if (!opened) return;
      SPANWIRE_ASSERT(*opened == id);
      running.insert(id);
    }
  }

  session::Session* session = nullptr;
  std::set<std::uint32_t> running;
  bool end = false;

 private:
  void say(std::string_view what, std::uint32_t id, ByteView bytes) {
    said_.append(what) += std::to_string(id);
    said_.append(text_of(bytes)) += '\n';
  }
  static void* user_of(std::uint32_t id) {
    return reinterpret_cast<void*>(static_cast<std::uintptr_t>(id));
  }
  static std::uint32_t id_of(void* user) {
    return static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(user));
  }
  void ended(void* user) { SPANWIRE_ASSERT(running.erase(id_of(user)) == 1); }
  void answer(std::uint32_t id, std::size_t bytes) {
    SPANWIRE_ASSERT(running.erase(id) == 1);
    session::ReplyOut reply;
    reply.payload = Slice::copy_of(std::string(bytes, 'r'));
    session->reply(id, reply);
  }

  std::string& said_;
};

constexpr std::uint8_t kClient = 1;
constexpr std::uint8_t kMultipart = 2;
constexpr std::uint8_t kPortions = 4;
constexpr std::uint8_t kRaw = 8;

session::Now now_of(std::int64_t ms) {
  return {MonotonicTime(std::chrono::milliseconds(1'000 + ms)),
          WallTime(std::chrono::milliseconds(ms))};
}

void feed_bytes(session::Session& session, ByteView bytes, std::size_t portion) {
  for (std::int64_t ms = 0; !bytes.empty(); ++ms) {
    const std::size_t taken = std::min(portion, bytes.size());
    const MutableByteView target = session.read_target();
    if (!target.empty()) {
      const std::size_t in_target = std::min(taken, target.size());
      std::memcpy(target.data(), bytes.data(), in_target);
      session.on_target_filled(in_target, now_of(ms));
      bytes = bytes.subspan(in_target);
      continue;
    }
    Block* block = Block::make(taken);
    std::memcpy(block->data(), bytes.data(), taken);
    session.on_bytes({block->data(), taken}, block, now_of(ms));
    block->release();
    bytes = bytes.subspan(taken);
  }
}

void feed_messages(session::Session& session, ByteView bytes) {
  for (std::int64_t ms = 0; !bytes.empty(); ++ms) {
    std::vector<Slice> parts(std::to_integer<std::size_t>(bytes[0]) % 7);
    bytes = bytes.subspan(1);
    for (Slice& part : parts) {
      if (bytes.size() < 2) break;
      const std::size_t length = std::min(
          std::to_integer<std::size_t>(bytes[0]) * 256 + std::to_integer<std::size_t>(bytes[1]),
          bytes.size() - 2);
      part = Slice::copy_of(bytes.subspan(2, length));
      bytes = bytes.subspan(2 + length);
    }
    session.on_message(parts, now_of(ms));
  }
}

void shake_hands(session::Session& session, bool client, bool multipart) {
  std::array<std::byte, wire::kFrameHeaderBytes + wire::kHelloBytes> hello;
  wire::encode_frame_header(
      {wire::kHelloBytes, 0, static_cast<std::uint8_t>(wire::FrameType::hello), 0}, hello.data());
  wire::encode_hello({}, hello.data() + wire::kFrameHeaderBytes);
  if (multipart) {
    std::array<Slice, 2> parts = {Slice::copy_of(ByteView(hello).first(wire::kFrameHeaderBytes)),
                                  Slice::copy_of(ByteView(hello).subspan(wire::kFrameHeaderBytes))};
    return session.on_message(parts, now_of(0));
  }
  if (!client) session.on_bytes(std::as_bytes(std::span(wire::kPreface)), nullptr, now_of(0));
  session.on_bytes(hello, nullptr, now_of(0));
}

// All that the session says to its link and to its user.
std::string run(std::uint8_t choice, ByteView input, bool short_way) {
  session::SessionOptions options;
  options.short_way = short_way;
  options.role = (choice & kClient) != 0 ? session::Role::client : session::Role::server;
  options.multipart = (choice & kMultipart) != 0;
  options.limits.streams_max = 8;
  options.limits.connection_window_bytes = 1u << 20;
  options.limits.queued_bytes_max = 1u << 20;
  options.limits.payload_bytes_max = 1u << 20;
  std::string said;
  Sink sink(said);
  User user(said);
  session::Session session(options, sink, user);
  user.session = &session;
  session.start(now_of(0));
  if ((choice & kRaw) == 0) {
    shake_hands(session, (choice & kClient) != 0, options.multipart);
    if ((choice & kClient) != 0) user.open_some();
  }
  if (options.multipart) {
    feed_messages(session, input);
  } else {
    feed_bytes(session, input, (choice & kPortions) != 0 ? 1u + choice / 32u : SIZE_MAX);
  }
  SPANWIRE_ASSERT(session.state() == session::State::closed ||
                  session.connection_receive_credit() >= 0);
  SPANWIRE_ASSERT(session.connection_send_credit() >= 0);
  session.on_timer(now_of(3'600'000));
  session.on_link_closed(Error(Errc::peer_closed));
  SPANWIRE_ASSERT(user.running.empty());
  SPANWIRE_ASSERT(session.in_flight() == 0 && session.waiting_bytes() == 0 &&
                  session.held_bytes() == 0);
  return said;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const ByteView input = std::as_bytes(std::span(data + 1, size - 1));
  SPANWIRE_ASSERT(run(data[0], input, true) == run(data[0], input, false));
  return 0;
}
