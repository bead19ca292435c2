// The simulator: two sessions, a network between them, users on both sides, one seed.
// SPANWIRE_SEED=n runs that seed alone; SPANWIRE_SEEDS=n runs so many.
#include "tests/session/simulator.hpp"

#include <cstdlib>
#include <memory>

#include "tests/support/leak_check.hpp"

namespace spanwire::session {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kSeeds = 1'000;
constexpr int kSteps = 400;

SessionOptions options_of(Role role, bool multipart, Random& random) {
  SessionOptions options;
  options.role = role;
  options.multipart = multipart;
  options.incarnation = role == Role::client ? 1 : 2;
  options.link_queue_bytes_max = 1'000 + random.below(60'000);
  options.limits.streams_max = static_cast<std::uint32_t>(1 + random.below(40));
  options.limits.connection_window_bytes =
      static_cast<std::uint32_t>(4'096 + random.below(100'000));
  options.limits.stream_window_bytes = static_cast<std::uint32_t>(64 + random.below(30'000));
  options.limits.queued_bytes_max = 100'000 + random.below(400'000);
  return options;
}

class Simulation {
 public:
  Simulation(std::uint64_t seed, SimulatorTotals& totals)
      : random_(seed),
        totals_(totals),
        multipart_(random_.below(4) == 0),
        faults_(random_.below(3) == 0),
        now_{MonotonicTime(1s), WallTime(1'000'000s)},
        client_(options_of(Role::client, multipart_, random_), random_, totals),
        server_(options_of(Role::server, multipart_, random_), random_, totals) {}

  void run() {
    client_.session.start(now_);
    server_.session.start(now_);
    for (int i = 0; i < kSteps && !::testing::Test::HasFailure(); ++i) {
      step();
      check_always(client_);
      check_always(server_);
    }
    settle();
    check_end();
  }

 private:
  void step() {
    switch (random_.below(12)) {
      case 0:
      case 1:
      case 2:
        return client_.act();
      case 3:
      case 4:
        return server_.act();
      case 5:
        return pass_time(std::chrono::microseconds(random_.below(5'000)));
      case 6:
        return rare_step();
      default:
        random_.below(2) == 0 ? move(client_, server_) : move(server_, client_);
    }
  }

  void rare_step() {
    if (random_.below(30) != 0) return;
    switch (random_.below(faults_ ? 4 : 3)) {
      case 0:
        ++totals_.drains;
        return server_.session.drain(now_);
      case 1:
        ++totals_.drains;
        return client_.session.drain(now_);
      case 2:
        return pass_time(std::chrono::milliseconds(random_.below(12'000)));
      default:
        ++totals_.cuts;
        return cut();
    }
  }

  void pass_time(std::chrono::nanoseconds by) {
    now_.monotonic += by;
    now_.wall += by;
    for (SimulatedSide* side : sides()) {
      if (!side->gone && side->session.next_timer() <= now_.monotonic) {
        side->session.on_timer(now_);
      }
    }
  }

  // Some bytes of one direction get a little further.
  bool move(SimulatedSide& from, SimulatedSide& to) {
    bool moved = false;
    if (random_.below(2) == 0) moved = from.link.submit(1 + random_.below(40'000));
    if (!from.gone && !from.ended && from.link.became_writable()) {
      from.session.on_link_writable();
    }
    if (!to.gone && !to.ended && random_.below(2) == 0) {
      const std::size_t portion =
          random_.below(4) == 0 ? 1 + random_.below(20) : random_.below(40'000);
      moved = from.link.deliver(1 + portion, to.session, now_) || moved;
    }
    return moved;
  }

  void cut() {
    for (SimulatedSide* side : sides()) lose(*side, Errc::connection_reset);
  }

  static void lose(SimulatedSide& side, Errc cause) {
    if (side.gone) return;
    side.gone = true;
    side.link.cut();
    side.session.on_link_closed(Error(cause));
  }

  // A session that has ended: what it said last still arrives, then the connection is closed.
  void finish_closing(SimulatedSide& from, SimulatedSide& to) {
    if (!from.ended || from.gone) return;
    while (from.link.submit(SIZE_MAX)) continue;
    while (!to.gone && !to.ended && from.link.deliver(SIZE_MAX, to.session, now_)) continue;
    lose(to, Errc::peer_closed);
    lose(from, from.ended->code());
  }

  // Everybody does what he owes, the network delivers, until nothing moves.
  void settle() {
    for (int quiet = 0, rounds = 0; quiet < 4; ++rounds) {
      ASSERT_LT(rounds, 20'000) << "it never comes to rest";
      server_.finish_all();
      client_.finish_all();
      bool moved = false;
      for (int i = 0; i < 8; ++i) {
        moved = move(client_, server_) || moved;
        moved = move(server_, client_) || moved;
      }
      pass_time(1ms);
      finish_closing(client_, server_);
      finish_closing(server_, client_);
      const bool at_rest = !moved && client_.link.idle() && server_.link.idle() &&
                           client_.session.in_flight() == 0 && server_.session.in_flight() == 0;
      quiet = at_rest ? quiet + 1 : 0;
      if (::testing::Test::HasFailure()) return;
    }
  }

  void check_always(const SimulatedSide& side) {
    EXPECT_GE(side.session.connection_send_credit(), 0);
    EXPECT_GE(side.session.connection_receive_credit(), 0);
    // The budget, and one body that may always wait.
    EXPECT_LE(side.session.waiting_bytes(), 500'000u + 70'000u);
    EXPECT_LE(side.session.in_flight(), 80u);
    if (side.ended) {
      const Errc code = side.ended->code();
      EXPECT_TRUE(code == Errc::shutting_down || code == Errc::draining ||
                  code == Errc::ping_timeout || code == Errc::handshake_timeout ||
                  code == Errc::frame_timeout || code == Errc::idle_timeout)
          << name(code);
    }
  }

  void check_end() {
    for (const SimulatedCall& call : client_.calls) {
      EXPECT_EQ(call.ends, call.given_up ? 0 : 1) << "call " << call.call;
      if (call.unsent) {
        EXPECT_FALSE(server_.dispatched.contains(call.call))
            << "call " << call.call << " ran, and was said not to";
      }
    }
    for (const SimulatedHandler& handler : server_.handlers) EXPECT_TRUE(handler.over);
    for (const SimulatedSide* side : sides()) {
      EXPECT_EQ(side->session.in_flight(), 0u);
      EXPECT_EQ(side->session.waiting_bytes(), 0u);
      EXPECT_EQ(side->session.held_bytes(), 0u);
    }
  }

  std::array<SimulatedSide*, 2> sides() { return {&client_, &server_}; }

  Random random_;
  SimulatorTotals& totals_;
  bool multipart_;
  bool faults_;
  Now now_;
  SimulatedClient client_;
  SimulatedServer server_;
};

std::uint64_t number_from_env(const char* variable, std::uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

TEST(Simulator, EveryPropertyHoldsForEverySeed) {
  const testing::LeakCheck leaks;
  SimulatorTotals totals;
  const std::uint64_t only = number_from_env("SPANWIRE_SEED", 0);
  const std::uint64_t last = only != 0 ? only : number_from_env("SPANWIRE_SEEDS", kSeeds);
  for (std::uint64_t seed = only != 0 ? only : 1; seed <= last; ++seed) {
    SCOPED_TRACE("replay with SPANWIRE_SEED=" + std::to_string(seed));
    Simulation(seed, totals).run();
    ASSERT_FALSE(HasFailure()) << "seed " << seed;
  }
  if (only != 0) return;
  // Runs that reach nothing prove nothing.
  for (const std::uint64_t reached :
       {totals.calls, totals.replies, totals.lost, totals.not_started, totals.cancelled,
        totals.messages, totals.in_pieces, totals.refused_writes, totals.one_ways, totals.drains,
        totals.cuts}) {
    EXPECT_GT(reached, last / 20);
  }
}

}  // namespace
}  // namespace spanwire::session
