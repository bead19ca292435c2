#include "spanwire/base/fork.hpp"

#include <pthread.h>

#include <atomic>

namespace spanwire {
namespace {

constinit std::atomic<std::uint32_t> generation{1};

[[gnu::constructor]] void watch_forks() {
  pthread_atfork(nullptr, nullptr, [] { generation.fetch_add(1, std::memory_order_relaxed); });
}

}  // namespace

std::uint32_t fork_generation() noexcept { return generation.load(std::memory_order_relaxed); }

}  // namespace spanwire
