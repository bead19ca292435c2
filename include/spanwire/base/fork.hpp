// Tells a forked child from the process that made an object, and lets it leave the object alone.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

namespace spanwire {

namespace detail {
extern std::atomic<std::uint32_t> forks;

struct Kept {
  Kept* next = nullptr;
};
void keep(Kept& kept) noexcept;
}  // namespace detail

// Grows by one in the child of each fork, before fork() returns there.  Safe from any thread.
inline std::uint32_t fork_generation() noexcept {
  return detail::forks.load(std::memory_order_relaxed);
}

// Never destroys `object`, whose threads, locks and sockets are the parent's: to join, take or
// close them in the child would wait for ever, or end the parent's connections.  Leak checkers find
// it still in use.  Safe from any thread.
template <class T>
void keep_for_ever(T object) {
  struct Keeper : detail::Kept {
    explicit Keeper(T&& kept) : object(std::move(kept)) {}
    T object;
  };
  detail::keep(*new Keeper(std::move(object)));
}

}  // namespace spanwire
