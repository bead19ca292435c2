// The settings as the hot paths read them.
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

#include "spanwire/journey/settings.hpp"

namespace spanwire::journey {

// The bit of the module "" is always set.
inline constexpr std::uint8_t kNoModule = 0;
extern std::atomic<Level> level_in_force;
extern std::atomic<std::uint64_t> modules_in_force;

inline bool module_wanted(std::uint8_t index) noexcept {
  return (modules_in_force.load(std::memory_order_relaxed) >> index & 1) != 0;
}
// A new index for a name that was not heard of before; names beyond kModulesMax share the last one.
std::uint8_t module_index(std::string_view name);

}  // namespace spanwire::journey
