// Tells a forked child from the process that made an object.
#pragma once

#include <cstdint>

namespace spanwire {

// Grows by one in the child of each fork, before fork() returns there.  Safe from any thread.
std::uint32_t fork_generation() noexcept;

}  // namespace spanwire
