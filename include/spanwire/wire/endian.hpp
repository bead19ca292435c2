// Big-endian integers, the byte order of every length and number on the wire.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace spanwire::wire {

template <std::unsigned_integral T>
constexpr T swap_bytes(T value) noexcept {
  if constexpr (sizeof(T) == 2) return __builtin_bswap16(value);
  if constexpr (sizeof(T) == 4) return __builtin_bswap32(value);
  if constexpr (sizeof(T) == 8) return __builtin_bswap64(value);
  return value;
}

// Reads sizeof(T) bytes at `from`, which need not be aligned.
template <std::unsigned_integral T>
T load_big(const std::byte* from) noexcept {
  T value;
  std::memcpy(&value, from, sizeof(T));
  return std::endian::native == std::endian::little ? swap_bytes(value) : value;
}

// Writes sizeof(T) bytes and returns the place behind them.
template <std::unsigned_integral T>
std::byte* store_big(std::byte* to, T value) noexcept {
  if (std::endian::native == std::endian::little) value = swap_bytes(value);
  std::memcpy(to, &value, sizeof(T));
  return to + sizeof(T);
}

}  // namespace spanwire::wire
