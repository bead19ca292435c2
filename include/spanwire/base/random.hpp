// Chance, injected: one fast generator a thread for ids and jitter, seeded by the operating system.
#pragma once

#include <cstdint>

namespace spanwire {

// xoroshiro128**.  Not for secrets.  One thread at a time.
class Random {
 public:
  // A generator whose whole sequence follows from `seed`.
  explicit Random(std::uint64_t seed) noexcept;

  std::uint64_t next() noexcept {
    const std::uint64_t first = state_[0];
    const std::uint64_t mixed = state_[1] ^ first;
    state_[0] = rotate(first, 24) ^ mixed ^ (mixed << 16);
    state_[1] = rotate(mixed, 37);
    return rotate(first * 5, 7) * 9;
  }
  // Never 0, as ids must not be.
  std::uint64_t next_nonzero() noexcept {
    std::uint64_t value = next();
    while (value == 0) [[unlikely]]
      value = next();
    return value;
  }
  // Uniform in [0, bound); bound > 0.
  std::uint64_t below(std::uint64_t bound) noexcept;
  // Uniform in [0, 1).
  double unit() noexcept { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

  // The calling thread's generator, seeded by the operating system on first use and again in a
  // child after a fork, so that two processes never make the same ids.
  static Random& of_thread() noexcept;

 private:
  static std::uint64_t rotate(std::uint64_t value, int by) noexcept {
    return (value << by) | (value >> (64 - by));
  }
  std::uint64_t state_[2];
};

}  // namespace spanwire
