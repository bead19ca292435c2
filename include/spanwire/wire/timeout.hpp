// The text of `spanwire-timeout` and `spanwire-retry-after`: gRPC's timeout format, at most eight
// digits and a unit of H M S m u n.  Pure functions.  Spec: proto-spec/headers.md section 5.
#pragma once

#include <chrono>
#include <cstddef>
#include <string_view>

#include "spanwire/base/result.hpp"

namespace spanwire::wire {

inline constexpr std::size_t kTimeoutTextBytesMax = 9;

// A timeout as text, in place.
class TimeoutText {
 public:
  std::string_view view() const noexcept { return {text_, size_}; }
  operator std::string_view() const noexcept { return view(); }  // NOLINT: it is its text

 private:
  friend TimeoutText write_timeout(std::chrono::nanoseconds timeout) noexcept;
  char text_[kTimeoutTextBytesMax];
  std::size_t size_ = 0;
};

// In the finest unit that needs no more than eight digits, rounded up: a server must not give up
// before its client.  Nothing or less is "0n".
TimeoutText write_timeout(std::chrono::nanoseconds timeout) noexcept;

// Fails with bad_number.  What nanoseconds cannot hold is the longest time that they can.
Result<std::chrono::nanoseconds> parse_timeout(std::string_view text) noexcept;

}  // namespace spanwire::wire
