// The settings as the hot paths read them.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
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
// Of a text like SGLANG_TRACE_LEVEL's: kEverything if it is empty, the nearest level of a number
// out of range, nothing for what is no number.
std::optional<Level> level_named(std::string_view text) noexcept;
// Says what of the environment could not be used.
void warn_of_environment();
// A new index for a name that was not heard of before; names beyond kModulesMax share the last one.
std::uint8_t module_index(std::string_view name);

}  // namespace spanwire::journey
