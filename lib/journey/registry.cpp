#include "lib/journey/registry.hpp"

#include <mutex>

#include "lib/journey/lifetime.hpp"
#include "spanwire/journey/misuse.hpp"

namespace spanwire::journey {

constinit std::atomic<std::int64_t> live_requests{0};
constinit std::atomic<std::int64_t> recorded_requests{0};

namespace {

// Never destroyed, nor are registries: handles refer to their slots.
struct Current {
  std::mutex mutex;
  std::atomic<Registry*> registry{nullptr};
  JourneyOptions options;
};
Current& current() {
  static Current& instance = *new Current;
  return instance;
}

// Before there are threads: a fork amid the making of a static leaves its child waiting for it.
[[gnu::constructor]] void make_current() { current(); }

Registry& renew(Current& all) {
  const std::scoped_lock lock(all.mutex);
  Registry* registry = all.registry.load(std::memory_order_relaxed);
  if (registry == nullptr || registry->fork_generation != fork_generation()) {
    if (registry == nullptr) warn_of_environment();
    registry = new Registry(all.options);
    live_requests.store(0, std::memory_order_relaxed);
    recorded_requests.store(0, std::memory_order_relaxed);
    all.registry.store(registry, std::memory_order_release);
  }
  return *registry;
}

std::int64_t ns_of(MonotonicTime time) noexcept { return time.time_since_epoch().count(); }

}  // namespace

Registry& registry() {
  Current& all = current();
  Registry* registry = all.registry.load(std::memory_order_acquire);
  if (registry != nullptr && registry->fork_generation == fork_generation()) return *registry;
  return renew(all);
}

void set_options(const JourneyOptions& options) {
  Current& all = current();
  const std::scoped_lock lock(all.mutex);
  all.options = options;
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
    const std::uint32_t generation = request.lock.generation();
    if (!request.lock.lock(generation)) return;
    const bool idle = request.alive() && now - request.touched_ns() >= options_.idle_max.count();
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
