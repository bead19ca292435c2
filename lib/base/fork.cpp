#include "spanwire/base/fork.hpp"

#include <pthread.h>

#include "lib/base/fork_order.hpp"

namespace spanwire {

namespace detail {
constinit std::atomic<std::uint32_t> forks{1};
}

namespace {

[[gnu::constructor(detail::kForkHandlersOfGeneration)]] void watch_forks() {
  pthread_atfork(nullptr, nullptr, [] { detail::forks.fetch_add(1, std::memory_order_relaxed); });
}

constinit std::atomic<detail::Kept*> kept_objects{nullptr};

}  // namespace

void detail::keep(Kept& kept) noexcept {
  kept.next = kept_objects.exchange(&kept, std::memory_order_acq_rel);
}

}  // namespace spanwire
