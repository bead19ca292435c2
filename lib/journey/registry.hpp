// All contexts of this process.
#pragma once

#include <atomic>
#include <cstdint>

#include "lib/journey/ids.hpp"
#include "lib/journey/slot.hpp"
#include "lib/journey/state.hpp"
#include "spanwire/journey/settings.hpp"

namespace spanwire::journey {

// Safe from any thread.
class Registry {
 public:
  explicit Registry(const JourneyOptions& options)
      : requests(options.requests_max), threads(options.threads_max), options_(options) {}

  // Ends requests that nothing was heard of for too long, if it is time to look.  The time.
  std::int64_t sweep_if_due();
  // How many it ended.
  std::size_t sweep();

  SlotPool<RequestState> requests;
  SlotPool<ThreadContext> threads;
  RequestIds ids;
  Rooms rooms;
  const std::uint32_t fork_generation = spanwire::fork_generation();

 private:
  const JourneyOptions options_;
  std::atomic<std::int64_t> swept_ns_{0};
};

// Made anew in a forked child: the requests of its parent are the parent's.  Never destroyed:
// handles refer to its slots.
extern std::atomic<Registry*> latest_registry;
Registry& renew_registry();
inline Registry& registry() {
  Registry* const latest = latest_registry.load(std::memory_order_acquire);
  const bool own = latest != nullptr && latest->fork_generation == fork_generation();
  return own ? *latest : renew_registry();
}

// For calls that have nothing to do where no request is alive, or none is recorded here and not
// only passed on.
inline bool nothing_lives() noexcept {
  const Registry* const latest = latest_registry.load(std::memory_order_acquire);
  return latest == nullptr || !latest->requests.any_in_use();
}
extern std::atomic<std::int64_t> recorded_requests;

inline bool tracing_off() noexcept {
  return trace::detail::active_core.load(std::memory_order_relaxed) == nullptr;
}

}  // namespace spanwire::journey
