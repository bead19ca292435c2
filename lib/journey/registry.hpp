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

// Made anew in a forked child: the requests of its parent are the parent's.
Registry& registry();

// Requests that are alive, and those among them that are recorded here and not only passed on; for
// calls that have nothing to do where there are none.
extern std::atomic<std::int64_t> live_requests;
extern std::atomic<std::int64_t> recorded_requests;

inline bool tracing_off() noexcept {
  return trace::detail::active_core.load(std::memory_order_relaxed) == nullptr;
}

}  // namespace spanwire::journey
