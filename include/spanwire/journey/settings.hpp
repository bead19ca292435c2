// What is traced of a request's life: levels and modules, changeable at any time, also for requests
// that are under way.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "spanwire/base/clock.hpp"
#include "spanwire/base/result.hpp"

namespace spanwire::journey {

// SGLang's: a slice or an event is recorded if its level is at most the level in force.
using Level = std::uint8_t;
inline constexpr Level kOff = 0;  // in force: nothing; of a call: never filtered
inline constexpr Level kImportant = 1;
inline constexpr Level kUsual = 2;       // all but nested
inline constexpr Level kEverything = 3;  // the default in force

// Above kEverything counts as that.  The process begins with SGLANG_TRACE_LEVEL.
void set_trace_level(Level level) noexcept;
// From text, as of a request's ?level=2.  Empty: kEverything.  Fails with bad_number for what is no
// number, and changes nothing then.
Result<void> set_trace_level(std::string_view text);
Level trace_level() noexcept;

inline constexpr std::size_t kModulesMax = 63;
// Only requests of these modules are traced, and those of the module "", which is never filtered.
// An empty list: no filter, the default.  Fails with invalid_argument beyond kModulesMax names in
// the life of the process.
Result<void> set_trace_modules(std::span<const std::string_view> modules);
// The same from a comma-separated list, as of --trace-modules.
Result<void> set_trace_modules(std::string_view modules);

// Of the requests that are alive in this process.  Set before the first of them.
struct JourneyOptions {
  // Copies for threads and from other processes count, too.  Of further ones there are null objects
  // only, counted as Errc::too_many_requests.
  std::size_t requests_max = 262144;
  // Contexts of threads, over all requests.
  std::size_t threads_max = 262144;
  // Requests without a call for so long are ended, marked as left open; 0: never.
  std::chrono::nanoseconds idle_max = std::chrono::seconds(300);
  // How often new requests make the sweep that looks for them.
  std::chrono::nanoseconds sweep_interval = std::chrono::seconds(60);
  // Of the sweep; that of the provider.  Must outlive the process.
  const Clock* clock = &Clock::system();
};

void set_options(const JourneyOptions& options);

// Looks for idle requests now; how many it ended.  New requests do this on their own.
std::size_t sweep();

}  // namespace spanwire::journey
