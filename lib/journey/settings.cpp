#include "lib/journey/settings.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <mutex>
#include <string>
#include <system_error>
#include <vector>

#include "lib/base/ascii.hpp"
#include "lib/base/fork_lock.hpp"
#include "lib/base/fork_order.hpp"
#include "spanwire/base/log.hpp"

namespace spanwire::journey {
namespace {

constexpr const char* kLevelVariable = "SGLANG_TRACE_LEVEL";

Level level_of_environment() noexcept {
  const char* const text = std::getenv(kLevelVariable);
  return level_named(text != nullptr ? text : "").value_or(kEverything);
}

// Never destroyed.
struct Names {
  std::mutex mutex;
  std::vector<std::string> names;  // the index of the first is 1
};
Names& names() {
  static Names& instance = *new Names;
  return instance;
}

std::mutex& names_mutex() { return names().mutex; }
[[gnu::constructor(spanwire::detail::kForkHandlersOfJourney)]] void watch_forks() {
  spanwire::detail::hold_over_forks<names_mutex>();
}

constexpr std::uint64_t bit_of(std::size_t index) noexcept { return std::uint64_t{1} << index; }

// 0: no room for another name.
std::uint8_t index_under_lock(Names& all, std::string_view name) {
  const auto found = std::find(all.names.begin(), all.names.end(), name);
  if (found != all.names.end()) return static_cast<std::uint8_t>(found - all.names.begin() + 1);
  if (all.names.size() == kModulesMax) return kNoModule;
  all.names.emplace_back(name);
  return static_cast<std::uint8_t>(all.names.size());
}

}  // namespace

std::atomic<Level> level_in_force{level_of_environment()};
constinit std::atomic<std::uint64_t> modules_in_force{~std::uint64_t{0}};

std::optional<Level> level_named(std::string_view text) noexcept {
  text = trimmed(text);
  if (text.empty()) return kEverything;
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return static_cast<Level>(std::clamp<int>(number, kOff, kEverything));
}

void warn_of_environment() {
  const char* const text = std::getenv(kLevelVariable);
  if (text == nullptr || level_named(text)) return;
  log_warn("a level that is no number is ignored", {{"variable", kLevelVariable}, {"value", text}});
}

void set_trace_level(Level level) noexcept {
  level_in_force.store(std::min(level, kEverything), std::memory_order_relaxed);
}

Result<void> set_trace_level(std::string_view text) {
  const std::optional<Level> level = level_named(text);
  if (!level) return fail(Errc::bad_number, "a trace level: " + std::string(text));
  set_trace_level(*level);
  return {};
}

Level trace_level() noexcept { return level_in_force.load(std::memory_order_relaxed); }

std::uint8_t module_index(std::string_view name) {
  if (name.empty()) return kNoModule;
  Names& all = names();
  const std::scoped_lock lock(all.mutex);
  const std::uint8_t index = index_under_lock(all, name);
  return index != kNoModule ? index : static_cast<std::uint8_t>(kModulesMax);
}

Result<void> set_trace_modules(std::span<const std::string_view> modules) {
  Names& all = names();
  const std::scoped_lock lock(all.mutex);
  std::uint64_t wanted = bit_of(kNoModule);
  for (const std::string_view name : modules) {
    const std::uint8_t index = index_under_lock(all, name);
    if (index == kNoModule) {
      return fail(Errc::invalid_argument, "more than " + std::to_string(kModulesMax) + " modules");
    }
    wanted |= bit_of(index);
  }
  modules_in_force.store(modules.empty() ? ~std::uint64_t{0} : wanted, std::memory_order_relaxed);
  return {};
}

Result<void> set_trace_modules(std::string_view modules) {
  std::vector<std::string_view> list;
  while (!modules.empty()) {
    const std::size_t comma = std::min(modules.find(','), modules.size());
    const std::string_view name = trimmed(modules.substr(0, comma));
    if (!name.empty()) list.push_back(name);
    modules.remove_prefix(std::min(comma + 1, modules.size()));
  }
  return set_trace_modules(list);
}

}  // namespace spanwire::journey
