#include "spanwire/base/fork.hpp"

#include <pthread.h>

namespace spanwire {

namespace detail {
constinit std::atomic<std::uint32_t> forks{1};
}

namespace {

[[gnu::constructor]] void watch_forks() {
  pthread_atfork(nullptr, nullptr, [] { detail::forks.fetch_add(1, std::memory_order_relaxed); });
}

constinit std::atomic<detail::Kept*> kept_objects{nullptr};

}  // namespace

void detail::keep(Kept& kept) noexcept {
  kept.next = kept_objects.exchange(&kept, std::memory_order_acq_rel);
}

}  // namespace spanwire
