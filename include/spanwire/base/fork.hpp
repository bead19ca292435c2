// Tells a forked child from the process that made an object.
#pragma once

#include <atomic>
#include <cstdint>

namespace spanwire {

namespace detail {
extern std::atomic<std::uint32_t> forks;
}

// Grows by one in the child of each fork, before fork() returns there.  Safe from any thread.
inline std::uint32_t fork_generation() noexcept {
  return detail::forks.load(std::memory_order_relaxed);
}

}  // namespace spanwire
