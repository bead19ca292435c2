#include "spanwire/trace/context_counters.hpp"

#include <array>
#include <atomic>

#include "spanwire/trace/carrier.hpp"

namespace spanwire::trace {
namespace {

constexpr unsigned kFirst = static_cast<unsigned>(Errc::traceparent_malformed);
constexpr unsigned kLast = static_cast<unsigned>(Errc::request_id_invalid);

constinit std::array<std::atomic<std::uint64_t>, kLast - kFirst + 1> counts{};
constinit std::array<std::atomic<std::uint64_t>, kFields> counts_not_injected{};

}  // namespace

void count_refused(Errc cause) noexcept {
  const auto number = static_cast<unsigned>(cause);
  if (number < kFirst || number > kLast) return;
  counts[number - kFirst].fetch_add(1, std::memory_order_relaxed);
}

std::uint64_t refused(Errc cause) noexcept {
  const auto number = static_cast<unsigned>(cause);
  if (number < kFirst || number > kLast) return 0;
  return counts[number - kFirst].load(std::memory_order_relaxed);
}

void count_not_injected(Field field) noexcept {
  counts_not_injected[static_cast<std::size_t>(field)].fetch_add(1, std::memory_order_relaxed);
}

std::uint64_t not_injected(Field field) noexcept {
  return counts_not_injected[static_cast<std::size_t>(field)].load(std::memory_order_relaxed);
}

}  // namespace spanwire::trace
