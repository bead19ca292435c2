#include "spanwire/base/random.hpp"

#include <sys/random.h>
#include <unistd.h>

#include "spanwire/base/clock.hpp"
#include "spanwire/base/fork.hpp"

namespace spanwire {
namespace {

__extension__ using WideWord = unsigned __int128;

std::uint64_t split_mix(std::uint64_t& state) noexcept {
  std::uint64_t z = (state += 0x9e3779b97f4a7c15ull);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return z ^ (z >> 31);
}

std::uint64_t seed_of_system() noexcept {
  std::uint64_t seed = 0;
  if (getrandom(&seed, sizeof seed, 0) == static_cast<ssize_t>(sizeof seed)) return seed;
  // No entropy source at all: time and process id still keep two processes apart.
  return static_cast<std::uint64_t>(Clock::system().wall().time_since_epoch().count()) ^
         (static_cast<std::uint64_t>(getpid()) << 40);
}

}  // namespace

Random::Random(std::uint64_t seed) noexcept {
  for (std::uint64_t& word : state_) word = split_mix(seed);
}

std::uint64_t Random::below(std::uint64_t bound) noexcept {
  return static_cast<std::uint64_t>((static_cast<WideWord>(next()) * bound) >> 64);
}

Random& Random::of_thread() noexcept {
  thread_local Random random(seed_of_system());
  thread_local std::uint32_t generation = fork_generation();
  const std::uint32_t now = fork_generation();
  if (generation != now) {
    generation = now;
    random = Random(seed_of_system());
  }
  return random;
}

}  // namespace spanwire
