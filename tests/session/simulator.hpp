// The users of the simulator: a caller and a server that do what comes to mind, and notice when
// they are not treated by the rules.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "spanwire/base/random.hpp"
#include "spanwire/session/session.hpp"
#include "tests/session/simulated_link.hpp"

namespace spanwire::session {

inline constexpr std::uint32_t kRequestPlace = 0;
inline constexpr std::uint32_t kReplyPlace = 1;
inline constexpr std::uint32_t kUpPlace = 1'000;      // the caller's messages
inline constexpr std::uint32_t kDownPlace = 100'000;  // the handler's

// Bytes that follow from whose message it is and its place among them.
inline std::string simulated_message(std::uint32_t call, std::uint32_t place, std::size_t bytes) {
  std::string text(bytes, '\0');
  std::uint64_t word = (std::uint64_t{call} << 32 | place) * 0x9e3779b97f4a7c15ull + bytes;
  for (std::size_t at = 0; at < bytes; at += sizeof word) {
    word = word * 6364136223846793005ull + 1442695040888963407ull;
    std::memcpy(text.data() + at, &word, std::min(sizeof word, bytes - at));
  }
  return text;
}

// What a run has shown, to see that runs reach what they should.
struct SimulatorTotals {
  std::uint64_t calls = 0;
  std::uint64_t replies = 0;
  std::uint64_t lost = 0;
  std::uint64_t not_started = 0;
  std::uint64_t cancelled = 0;
  std::uint64_t messages = 0;
  std::uint64_t in_pieces = 0;
  std::uint64_t refused_writes = 0;
  std::uint64_t one_ways = 0;
  std::uint64_t drains = 0;
  std::uint64_t cuts = 0;
};

// Sizes from nothing to many pieces, small ones most often.
inline std::size_t simulated_size(Random& random) {
  switch (random.below(8)) {
    case 0:
      return 0;
    case 1:
      return 2'000 + random.below(60'000);
    case 2:
      return random.below(9'000);
    default:
      return random.below(400);
  }
}

// One side: its session, its link, how it ended.
class SimulatedSide : public SessionEvents {
 public:
  SimulatedSide(const SessionOptions& options, Random& dice, SimulatorTotals& run_totals)
      : random(dice),
        totals(run_totals),
        link(options.multipart, options.link_queue_bytes_max),
        session(options, link, *this) {}

  void on_ready() override { ++ready; }
  void on_draining() override { ++draining; }
  void on_free() override {}
  void on_request(RequestIn&) override { ADD_FAILURE() << "a request to a client"; }
  void on_refused() override { ADD_FAILURE() << "a refusal at a client"; }
  void on_cancel(void*, Errc) override { ADD_FAILURE() << "a cancel to a client"; }
  void on_head(void*, ByteView) override { ADD_FAILURE() << "a head to a server"; }
  void on_reply(void*, ReplyIn&) override { ADD_FAILURE() << "a reply to a server"; }
  void on_writable(void*) override {}
  void on_pause(bool) override {}
  void on_end(const Error& cause) override {
    EXPECT_FALSE(ended) << "ended twice";
    ended = cause;
    link.close();
  }

  Random& random;
  SimulatorTotals& totals;
  SimulatedLink link;
  Session session;
  int ready = 0;
  int draining = 0;
  std::optional<Error> ended;  // the session's own end
  bool gone = false;           // the link's

 protected:
  ~SimulatedSide() = default;
};

// A handler's call.
struct SimulatedHandler {
  std::uint32_t call = 0;
  std::uint32_t id = 0;
  bool stream = false;
  bool over = false;
  bool headed = false;
  bool upstream_ended = false;
  std::uint32_t read = 0;
  std::uint32_t written = 0;
  std::size_t ungranted = 0;
};

class SimulatedServer final : public SimulatedSide {
 public:
  using SimulatedSide::SimulatedSide;

  void on_request(RequestIn& request) override {
    std::uint32_t call = 0;
    ASSERT_EQ(std::sscanf(std::string(request.path).c_str(), "call/%u", &call), 1);
    EXPECT_TRUE(dispatched.insert(call).second) << "call " << call << " was dispatched twice";
    EXPECT_EQ(text_of(request.payload.bytes),
              simulated_message(call, kRequestPlace, request.payload.bytes.size()));
    EXPECT_EQ(text_of(request.headers), "{\"n\":\"" + std::to_string(call) + "\"}");
    if (request.payload.bytes.size() > 4096) ++totals.in_pieces;
    SimulatedHandler& handler = handlers.emplace_back();
    handler.call = call;
    handler.id = request.id;
    handler.stream = request.stream;
    handler.upstream_ended = request.end;
    session.attach(request.id, &handler);
    // Handlers start inline; many end there.
    if (!request.stream && random.below(2) == 0) finish(handler);
  }
  void on_refused() override {
    ++refused;
    EXPECT_LE(dispatched.size() + refused, session.counters().requests);
  }
  void on_data(void* user, Body& data, bool end) override {
    auto& handler = *static_cast<SimulatedHandler*>(user);
    EXPECT_FALSE(handler.over);
    EXPECT_FALSE(handler.upstream_ended);
    EXPECT_EQ(text_of(data.bytes),
              simulated_message(handler.call, kUpPlace + handler.read, data.bytes.size()));
    if (!data.bytes.empty() || !end) ++handler.read;
    handler.upstream_ended = end;
    ++totals.messages;
    handler.ungranted += data.bytes.size();
    if (random.below(3) == 0) grant(handler);
  }
  void on_cancel(void* user, Errc) override {
    auto& handler = *static_cast<SimulatedHandler*>(user);
    EXPECT_FALSE(handler.over);
    if (random.below(2) == 0) finish(handler);
  }
  void on_writable(void* user) override { write(*static_cast<SimulatedHandler*>(user)); }
  void on_lost(void* user, const Error&, Progress) override {
    auto& handler = *static_cast<SimulatedHandler*>(user);
    EXPECT_FALSE(handler.over);
    handler.over = true;
  }

  void act() {
    SimulatedHandler* handler = pick();
    if (handler == nullptr) return;
    switch (random.below(handler->stream ? 5 : 2)) {
      case 0:
        return finish(*handler);
      case 1:
        if (!handler->headed) session.head(handler->id, bytes_of("{}"));
        handler->headed = true;
        return;
      case 2:
        return grant(*handler);
      default:
        return write(*handler);
    }
  }
  // Ends everything that runs.
  bool finish_all() {
    bool any = false;
    for (SimulatedHandler& handler : handlers) {
      if (!handler.over) any = true, finish(handler);
    }
    return any;
  }

  std::set<std::uint32_t> dispatched;
  std::size_t refused = 0;
  std::deque<SimulatedHandler> handlers;

 private:
  SimulatedHandler* pick() {
    if (handlers.empty()) return nullptr;
    SimulatedHandler& handler = handlers[random.below(handlers.size())];
    return handler.over ? nullptr : &handler;
  }
  void grant(SimulatedHandler& handler) {
    session.grant(handler.id, handler.ungranted);
    handler.ungranted = 0;
  }
  void write(SimulatedHandler& handler) {
    if (handler.over || !handler.stream) return;
    handler.headed = true;
    Slice data = Slice::copy_of(
        simulated_message(handler.call, kDownPlace + handler.written, 1 + simulated_size(random)));
    const Result<bool> taken = session.write(handler.id, data, false);
    if (taken && *taken) ++handler.written;
    if (taken && !*taken) ++totals.refused_writes;
  }
  void finish(SimulatedHandler& handler) {
    handler.over = true;
    ReplyOut reply;
    reply.status = static_cast<std::uint8_t>(handler.call % 17);
    reply.message = "message";
    reply.payload =
        Slice::copy_of(simulated_message(handler.call, kReplyPlace, simulated_size(random)));
    session.reply(handler.id, reply);
  }
};

struct SimulatedCall {
  std::uint32_t call = 0;
  std::uint32_t id = 0;
  bool stream = false;
  bool one_way = false;
  bool local_end = false;
  bool given_up = false;
  bool unsent = false;  // the session said that the server never hears of it
  int ends = 0;
  std::uint32_t read = 0;
  std::uint32_t written = 0;
  std::size_t ungranted = 0;

  bool over() const noexcept { return ends != 0 || given_up; }
};

class SimulatedClient final : public SimulatedSide {
 public:
  using SimulatedSide::SimulatedSide;

  void on_head(void* user, ByteView) override { listen(user); }
  void on_data(void* user, Body& data, bool) override {
    SimulatedCall& call = listen(user);
    EXPECT_EQ(text_of(data.bytes),
              simulated_message(call.call, kDownPlace + call.read, data.bytes.size()));
    ++call.read;
    ++totals.messages;
    call.ungranted += data.bytes.size();
    if (random.below(3) == 0) grant(call);
  }
  void on_writable(void* user) override { write(listen(user)); }
  void on_reply(void* user, ReplyIn& reply) override {
    SimulatedCall& call = listen(user);
    ++call.ends;
    call.unsent = reply.not_started;
    if (reply.not_started) ++totals.not_started;
    ++totals.replies;
    if (!reply.not_started && !call.one_way && !draining && reply.status != 8) {
      EXPECT_EQ(reply.status, call.call % 17);
      EXPECT_EQ(reply.message, "message");
      EXPECT_EQ(text_of(reply.payload.bytes),
                simulated_message(call.call, kReplyPlace, reply.payload.bytes.size()));
    }
    if (random.below(4) == 0) open();
  }
  void on_lost(void* user, const Error&, Progress progress) override {
    SimulatedCall& call = listen(user);
    ++call.ends;
    call.unsent = progress == Progress::not_sent || progress == Progress::not_started;
    ++totals.lost;
  }

  void act() {
    if (random.below(3) == 0) return open();
    if (calls.empty()) return;
    SimulatedCall& call = calls[random.below(calls.size())];
    if (call.over()) return;
    switch (random.below(6)) {
      case 0:
        return cancel(call);
      case 1:
        return grant(call);
      case 2:
        return end(call);
      default:
        return write(call);
    }
  }
  // Reads everything, ends every stream of its own, leaves nothing waiting.
  void finish_all() {
    for (SimulatedCall& call : calls) {
      if (call.over()) continue;
      grant(call);
      end(call);
    }
  }

  std::deque<SimulatedCall> calls;

 private:
  SimulatedCall& listen(void* user) {
    auto& call = *static_cast<SimulatedCall*>(user);
    EXPECT_FALSE(call.over()) << "call " << call.call << " hears something after its end";
    return call;
  }
  void open() {
    SimulatedCall& call = calls.emplace_back();
    call.call = static_cast<std::uint32_t>(calls.size());
    call.stream = random.below(3) == 0;
    call.one_way = !call.stream && random.below(8) == 0;
    const std::string path = "call/" + std::to_string(call.call);
    const std::string headers = "{\"n\":\"" + std::to_string(call.call) + "\"}";
    RequestOut request;
    request.path = path;
    request.headers = bytes_of(headers);
    request.payload =
        Slice::copy_of(simulated_message(call.call, kRequestPlace, simulated_size(random)));
    request.stream = call.stream;
    request.end = !call.stream;
    request.one_way = call.one_way;
    call.local_end = request.end;
    const Result<std::uint32_t> id = session.open(request, &call);
    EXPECT_EQ(call.ends, 0) << "an event before open() has returned";
    if (!id) {
      calls.pop_back();
      return;
    }
    call.id = *id;
    ++totals.calls;
    if (call.one_way) ++totals.one_ways;
  }
  void cancel(SimulatedCall& call) {
    call.given_up = true;
    ++totals.cancelled;
    call.unsent = session.cancel(call.id, Errc::deadline_exceeded);
  }
  void grant(SimulatedCall& call) {
    session.grant(call.id, call.ungranted);
    call.ungranted = 0;
  }
  void end(SimulatedCall& call) {
    if (!call.stream || call.local_end) return;
    Slice nothing;
    const Result<bool> taken = session.write(call.id, nothing, true);
    call.local_end = taken && *taken;
  }
  void write(SimulatedCall& call) {
    if (!call.stream || call.local_end) return;
    Slice data = Slice::copy_of(
        simulated_message(call.call, kUpPlace + call.written, 1 + simulated_size(random)));
    const bool last = random.below(8) == 0;
    const Result<bool> taken = session.write(call.id, data, last);
    if (!taken || !*taken) {
      ++totals.refused_writes;
      return;
    }
    ++call.written;
    call.local_end = last;
  }
};

}  // namespace spanwire::session
