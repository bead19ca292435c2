#include "spanwire/session/process_budget.hpp"

#include "lib/session/budget.hpp"

namespace spanwire::session {

void set_process_bytes_max(std::size_t bytes) noexcept {
  process_bytes_most.store(bytes, std::memory_order_relaxed);
}

std::size_t process_bytes_max() noexcept {
  return process_bytes_most.load(std::memory_order_relaxed);
}

std::size_t process_bytes() noexcept { return process_bytes_held.load(std::memory_order_relaxed); }

}  // namespace spanwire::session
