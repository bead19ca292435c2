// Timers: handshake, stalled frames, ping, idle, drain.
#include <algorithm>

#include "spanwire/session/session.hpp"

namespace spanwire::session {
namespace {

// An answer may lie unread when a busy loop comes to its timers: it gets this much longer.
constexpr std::chrono::nanoseconds kSecondLook = std::chrono::milliseconds(100);

bool is_set(std::chrono::nanoseconds duration) noexcept { return duration.count() > 0; }

MonotonicTime after(MonotonicTime time, std::chrono::nanoseconds by) noexcept {
  return time > MonotonicTime::max() - by ? MonotonicTime::max() : time + by;
}

}  // namespace

// Zero: never.
std::chrono::nanoseconds Session::ping_after() const noexcept {
  const std::chrono::nanoseconds wanted = in_flight() != 0
                                              ? options_.limits.ping_after_busy_silence
                                              : options_.limits.ping_after_idle_silence;
  if (naive_ || !is_set(wanted)) return std::chrono::nanoseconds(0);
  return std::max<std::chrono::nanoseconds>(wanted,
                                            std::chrono::milliseconds(peer_.ping_interval_min_ms));
}

MonotonicTime Session::next_timer() noexcept {
  MonotonicTime at = std::min(handshake_by_, drain_by_);
  const wire::Limits& limits = options_.limits;
  // While we do not read, the peer cannot be late.
  if (is_set(limits.frame_timeout) && !paused_) {
    at = std::min(at, after(frame_begun_, limits.frame_timeout));
  }
  if (!written_one_ways_.empty()) at = std::min(at, now_.monotonic + kLook);
  if (process_wanted_ != 0) at = std::min(at, process_look_at_);
  if (free_untold_) at = std::min(at, now_.monotonic + kLook);
  if (state_ == State::ready || state_ == State::draining) {
    if (ping_token_ != 0 && paused_) {
      at = std::min(at, now_.monotonic + limits.ping_answer_timeout);
    } else if (ping_token_ != 0) {
      at = std::min(at, after(ping_sent_, limits.ping_answer_timeout));
      if (second_look_) at = std::max(at, now_.monotonic + kSecondLook);
    } else if (const auto silence = ping_after(); is_set(silence)) {
      at = std::min(at, last_received_ + silence);
    }
    if (is_set(limits.idle_timeout) && in_flight() == 0) {
      at = std::min(at, idle_since_ + limits.idle_timeout);
    }
  }
  if (closed()) at = MonotonicTime::max();
  told_timer_ = at;
  return at;
}

void Session::on_timer(const Now& now) {
  if (closed()) return;
  now_ = now;
  if (state_ == State::handshake && handshake_by_ <= now.monotonic) {
    return fail(Errc::handshake_timeout);
  }
  const auto frame_timeout = options_.limits.frame_timeout;
  if (!paused_ && is_set(frame_timeout) && after(frame_begun_, frame_timeout) <= now.monotonic) {
    return fail(Errc::frame_timeout);
  }
  if (drain_by_ <= now.monotonic) finish_drain_step();
  if (state_ != State::handshake) check_silence();
  if (state_ == State::ready) check_idle();
  if (!closed()) after_input();
}

void Session::check_silence() {
  if (ping_token_ != 0) {
    if (after(ping_sent_, options_.limits.ping_answer_timeout) > now_.monotonic || paused_) return;
    if (second_look_) return fail(Errc::ping_timeout);
    second_look_ = true;
    return;
  }
  second_look_ = false;
  const auto silence = ping_after();
  if (is_set(silence) && last_received_ + silence <= now_.monotonic) send_ping(false);
}

void Session::check_idle() {
  if (in_flight() != 0 || was_busy_) idle_since_ = now_.monotonic;
  was_busy_ = false;
  const auto idle = options_.limits.idle_timeout;
  if (is_set(idle) && idle_since_ + idle <= now_.monotonic) drain(now_, Errc::idle_timeout);
}

}  // namespace spanwire::session
