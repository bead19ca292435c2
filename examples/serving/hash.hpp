// Hashes that are equal in all processes.
#pragma once

#include <cstdint>
#include <span>

#include "examples/serving/vocabulary.hpp"

namespace serving {

// Mixes well; the same everywhere (the finaliser of SplitMix64).
constexpr std::uint64_t mix(std::uint64_t value) noexcept {
  value += 0x9E37'79B9'7F4A'7C15ull;
  value = (value ^ (value >> 30)) * 0xBF58'476D'1CE4'E5B9ull;
  value = (value ^ (value >> 27)) * 0x94D0'49BB'1331'11EBull;
  return value ^ (value >> 31);
}

constexpr std::uint64_t hash_of(std::span<const Token> tokens, std::uint64_t before = 0) noexcept {
  std::uint64_t hash = mix(before);
  for (const Token token : tokens) hash = mix(hash ^ token);
  return hash;
}

// A number in [0, 1).
constexpr double chance_of(std::uint64_t random) noexcept {
  return static_cast<double>(random >> 11) * 0x1p-53;
}

}  // namespace serving
