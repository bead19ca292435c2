#include "lib/journey/registry.hpp"

#include <mutex>
#include <optional>

#include "lib/base/fork_lock.hpp"
#include "lib/base/fork_order.hpp"
#include "lib/journey/lifetime.hpp"
#include "spanwire/journey/misuse.hpp"

namespace spanwire::journey {

constinit std::atomic<std::int64_t> recorded_requests{0};

constinit std::atomic<Registry*> latest_registry{nullptr};

namespace {

// For the next registry.
struct Settings {
  std::mutex mutex;
  std::optional<JourneyOptions> options;
};
constinit Settings settings;

std::mutex& settings_mutex() { return settings.mutex; }
[[gnu::constructor(spanwire::detail::kForkHandlersOfJourney)]] void watch_forks() {
  spanwire::detail::hold_over_forks<settings_mutex>();
}

std::int64_t ns_of(MonotonicTime time) noexcept { return time.time_since_epoch().count(); }

}  // namespace

Registry& renew_registry() {
  std::unique_lock lock(settings.mutex);
  Registry* registry = latest_registry.load(std::memory_order_relaxed);
  const bool first = registry == nullptr;
  if (first || registry->fork_generation != fork_generation()) {
    registry = new Registry(settings.options.value_or(JourneyOptions{}));
    recorded_requests.store(0, std::memory_order_relaxed);
    latest_registry.store(registry, std::memory_order_release);
  }
  lock.unlock();
  // Not under the lock: a fork takes it together with the log's.
  if (first) warn_of_environment();
  return *registry;
}

void set_options(const JourneyOptions& options) {
  const std::scoped_lock lock(settings.mutex);
  settings.options = options;
}

std::int64_t Registry::sweep_if_due() {
  const std::int64_t now = ns_of(options_.clock->coarse());
  std::int64_t last = swept_ns_.load(std::memory_order_relaxed);
  if (last == 0) {
    swept_ns_.compare_exchange_strong(last, now, std::memory_order_relaxed);
  } else if (now - last >= options_.sweep_interval.count() &&
             swept_ns_.compare_exchange_strong(last, now, std::memory_order_relaxed)) {
    sweep();
  }
  return now;
}

std::size_t Registry::sweep() {
  if (options_.idle_max.count() == 0) return 0;
  const std::int64_t now = ns_of(options_.clock->monotonic());
  rooms.forget_older_than(now - options_.idle_max.count());
  std::size_t ended = 0;
  requests.for_each([&](RequestState& request) {
    // In this order: one that is not alive may be taken and locked without regard to others.
    const std::uint32_t generation = request.lock.generation();
    if (!request.alive() || !request.lock.lock(generation)) return;
    const bool idle = now - request.touched_ns() >= options_.idle_max.count();
    request.lock.unlock();
    if (!idle) return;
    if (end_request(request, generation, {.misuse = Errc::thread_left_open}) ==
        Errc::unknown_request) {
      return;
    }
    count_misuse(Errc::thread_left_open, "a request was left open");
    ++ended;
  });
  return ended;
}

std::size_t sweep() { return registry().sweep(); }

}  // namespace spanwire::journey
