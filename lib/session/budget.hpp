// Bytes that all connections of the process hold: bodies that wait to be sent, bodies in pieces
// that are not complete, and payloads that handlers keep.  Small data in the hands of a reader are
// not counted here, only per connection.
#pragma once

#include <atomic>
#include <cstddef>

#include "spanwire/wire/limits.hpp"

namespace spanwire::session {

inline constinit std::atomic<std::size_t> process_bytes_held{0};
inline constinit std::atomic<std::size_t> process_bytes_most{wire::kQueuedBytesPerProcessMax};

inline void hold_in_process(std::size_t bytes) noexcept {
  process_bytes_held.fetch_add(bytes, std::memory_order_relaxed);
}
inline void unhold_in_process(std::size_t bytes) noexcept {
  process_bytes_held.fetch_sub(bytes, std::memory_order_relaxed);
}

// One body may be held where there is nothing else, however large: its own limits have let it pass.
inline bool process_has_room(std::size_t bytes) noexcept {
  const std::size_t held = process_bytes_held.load(std::memory_order_relaxed);
  const std::size_t most = process_bytes_most.load(std::memory_order_relaxed);
  return bytes == 0 || held == 0 || (held <= most && bytes <= most - held);
}

}  // namespace spanwire::session
