// Times of replies.
#pragma once

#include <chrono>
#include <cstdint>

#include "spanwire/base/clock.hpp"

namespace spanwire::session {

// Zero on the wire means that the server does not know.
inline WallTime wall_of(std::uint64_t ns) noexcept {
  return WallTime(std::chrono::nanoseconds(static_cast<std::int64_t>(ns)));
}

}  // namespace spanwire::session
