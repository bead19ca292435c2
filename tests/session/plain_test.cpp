// The short way of whole requests and replies against the general one: the same script, the same
// words, down to the bytes that are sent.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "spanwire/base/random.hpp"
#include "tests/session/harness.hpp"

namespace spanwire::session {
namespace {

constexpr unsigned kSeeds = 2000;
constexpr unsigned kSteps = 60;
constexpr std::uint32_t kSlots = 6;

SessionOptions options_with(bool short_way) {
  SessionOptions options;
  options.short_way = short_way;
  options.limits.connection_window_bytes = 64u << 10;
  options.limits.streams_max = kSlots;
  return options;
}

std::string text_of_frames(const std::vector<SentFrame>& frames) {
  std::string all;
  for (const SentFrame& frame : frames) {
    all += std::to_string(static_cast<int>(frame.type)) + " " + std::to_string(frame.id) + " " +
           std::to_string(frame.flags) + " " + frame.body + "\n";
  }
  return all;
}

std::string text_of_heard(const std::vector<Heard>& heard) {
  std::string all;
  for (const Heard& one : heard) {
    all += one.what + " " + std::to_string(one.id) + " " + one.path + " " + one.payload + " " +
           std::to_string(one.status) + (one.flag ? " flag " : " ") + std::string(name(one.code)) +
           " " + std::to_string(static_cast<int>(one.progress)) + "\n";
  }
  return all;
}

// Two sessions that hear the same and must say the same.
class Pair {
 public:
  explicit Pair(Role role)
      : short_way(role, options_with(true)), general(role, options_with(false)) {
    short_way.shake_hands();
    general.shake_hands();
  }

  void feed(const std::string& bytes) {
    short_way.feed(bytes);
    general.feed(bytes);
  }
  void answer(std::uint32_t id, const std::string& payload) {
    short_way.answer(id, payload);
    general.answer(id, payload);
  }
  std::uint32_t open(const std::string& payload) {
    const Result<std::uint32_t> first = short_way.open("p", payload);
    const Result<std::uint32_t> second = general.open("p", payload);
    EXPECT_EQ(first.has_value(), second.has_value());
    EXPECT_TRUE(!first || *first == *second);
    return first ? *first : 0;
  }
  void drain() {
    short_way.session.drain(short_way.now);
    general.session.drain(general.now);
  }
  bool closed() const { return short_way.session.state() == State::closed; }
  // False at the first difference.
  bool same() {
    const std::vector<SentFrame> frames = general.sent();
    for (const SentFrame& frame : frames) {
      if (frame.type == FrameType::ping) ping_ = frame.body;
    }
    const std::string sent = text_of_frames(frames);
    const std::string heard = text_of_heard(general.heard);
    EXPECT_EQ(text_of_frames(short_way.sent()), sent);
    EXPECT_EQ(text_of_heard(short_way.heard), heard);
    EXPECT_EQ(short_way.session.state(), general.session.state());
    EXPECT_EQ(short_way.end, general.end);
    EXPECT_EQ(short_way.session.in_flight(), general.session.in_flight());
    EXPECT_EQ(short_way.session.connection_receive_credit(),
              general.session.connection_receive_credit());
    short_way.heard.clear();
    general.heard.clear();
    return !::testing::Test::HasFailure();
  }

  // Answers a drain's ping, after which it knows which requests it still takes.
  void pong() {
    if (!ping_.empty()) feed(frame(FrameType::pong, 0, std::exchange(ping_, {})));
  }

  Machine short_way;
  Machine general;

 private:
  std::string ping_;
};

std::string some_payload(Random& random) {
  const std::size_t bytes = random.below(8) == 0 ? random.below(40'000) : random.below(300);
  return std::string(bytes, static_cast<char>('a' + random.below(26)));
}

std::uint32_t take_any(Random& random, std::vector<std::uint32_t>& ids) {
  const auto at = ids.begin() + static_cast<std::ptrdiff_t>(random.below(ids.size()));
  const std::uint32_t id = *at;
  ids.erase(at);
  return id;
}

// A frame that is wrong somewhere, or right where nobody expects it.
std::string odd_frame(Random& random, std::uint32_t id) {
  switch (random.below(9)) {
    case 0:
      return data(id, some_payload(random),
                  random.below(2) == 0 ? wire::kFlagEnd : std::uint8_t{0});
    case 1:
      return cancel(id);
    case 2:
      return window(id, 1'000);
    case 3:
      return ping(random.next());
    case 4:
      return request(id, "q", "payload", static_cast<std::uint8_t>(random.below(16)));
    case 5:
      return frame(FrameType::request, id, request_body("q", "short", 1'000), wire::kFlagEnd);
    case 6:
      return reply(id, "late", static_cast<std::uint8_t>(random.below(4)));
    case 7: {
      // Says that the payload is shorter or longer than what the frame holds.
      std::string body = reply_body("fine", "payload");
      body[body.size() - 8] ^= static_cast<char>(1u << random.below(4));
      return frame(FrameType::reply, id, body);
    }
    default: {
      std::string broken = request(id, "q", "payload");
      broken[wire::kFrameHeaderBytes + random.below(broken.size() - wire::kFrameHeaderBytes)] ^=
          static_cast<char>(1u << random.below(8));
      return broken;
    }
  }
}

void run_server(std::uint64_t seed) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  Random random(seed);
  Pair pair(Role::server);
  std::vector<std::uint32_t> idle;  // the next id of each slot without a request
  std::vector<std::uint32_t> running;
  for (std::uint32_t slot = 1; slot <= kSlots; ++slot) idle.push_back(id_of(slot));
  for (unsigned step = 0; step < kSteps && !pair.closed(); ++step) {
    const std::uint64_t choice = random.below(40);
    if (choice < 18) {
      // Now and then several in one read, which may be more than there is credit for.
      std::string bytes;
      for (std::uint64_t left = random.below(4) == 0 ? 3 : 1; left > 0 && !idle.empty(); --left) {
        running.push_back(take_any(random, idle));
        bytes += request(running.back(), "path/" + std::to_string(step), some_payload(random));
      }
      pair.feed(bytes);
    } else if (choice < 36 && !running.empty()) {
      const wire::StreamId id{take_any(random, running)};
      pair.answer(id.raw, some_payload(random));
      idle.push_back(id_of(id.slot(), id.generation() + 1));
    } else if (choice == 36) {
      std::vector<std::uint32_t>& some = random.below(2) == 0 || idle.empty() ? running : idle;
      if (!some.empty()) pair.feed(odd_frame(random, some[random.below(some.size())]));
    } else if (choice == 37 && random.below(8) == 0) {
      pair.drain();
    } else if (choice == 38) {
      pair.pong();
    }
    if (!pair.same()) return;
  }
}

void run_client(std::uint64_t seed) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  Random random(seed);
  Pair pair(Role::client);
  std::vector<std::uint32_t> open;
  for (unsigned step = 0; step < kSteps && !pair.closed(); ++step) {
    const std::uint64_t choice = random.below(40);
    if (choice < 18) {
      if (const std::uint32_t id = pair.open(some_payload(random)); id != 0) open.push_back(id);
    } else if (choice < 36) {
      std::string bytes;
      for (std::uint64_t left = random.below(4) == 0 ? 3 : 1; left > 0 && !open.empty(); --left) {
        const bool again = random.below(200) == 0;
        const std::uint32_t id = again ? open[random.below(open.size())] : take_any(random, open);
        bytes += reply(id, some_payload(random));
      }
      pair.feed(bytes);
    } else if (choice == 36 && !open.empty()) {
      pair.feed(odd_frame(random, open[random.below(open.size())]));
    } else if (choice == 37 && random.below(8) == 0) {
      pair.drain();
    } else if (choice == 38) {
      pair.pong();
    }
    if (!pair.same()) return;
  }
}

TEST(PlainFrames, AServerDecidesAlikeOnBothWays) {
  for (unsigned seed = 1; seed <= kSeeds && !HasFailure(); ++seed) run_server(seed);
}

TEST(PlainFrames, AClientDecidesAlikeOnBothWays) {
  for (unsigned seed = 1; seed <= kSeeds && !HasFailure(); ++seed) run_client(seed);
}

}  // namespace
}  // namespace spanwire::session
