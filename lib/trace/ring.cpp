#include "lib/trace/ring.hpp"

#include <algorithm>

#include "lib/trace/slab.hpp"
#include "spanwire/base/assert.hpp"

namespace spanwire::trace::detail {
namespace {

// How much is written between two looks at the reader: small enough that a ring whose reader keeps
// up starts over before it has spread over much memory.
constexpr std::size_t kStretchBytes = 64u << 10;

}  // namespace

Ring::Ring(std::size_t capacity) noexcept : capacity_(capacity) {
  SPANWIRE_ASSERT(capacity >= 4096 && (capacity & (capacity - 1)) == 0);
  memory_ = static_cast<std::byte*>(reserve_memory(capacity));
}

Ring::~Ring() { release_memory(memory_, capacity_); }

std::byte* Ring::reserve_slowly(std::size_t bytes) noexcept {
  if (memory_ == nullptr || bytes > capacity_ / 2) return nullptr;
  const std::uint64_t head = shared_head_.load(std::memory_order_acquire);
  std::size_t place = tail_ & (capacity_ - 1);
  const std::size_t to_end = capacity_ - place;
  // An empty ring starts over: memory that is warm is used again instead of the next cold page.
  const bool start_over = head == tail_ && place >= kStretchBytes;
  const std::size_t skipped = bytes > to_end || start_over ? to_end : 0;
  if (tail_ + skipped + bytes - head > capacity_) {
    watch_at_ = tail_;
    return nullptr;
  }
  if (skipped != 0) {
    auto* entry = reinterpret_cast<RecordHeader*>(memory_ + place);
    entry->entry_bytes = static_cast<std::uint32_t>(skipped);
    entry->entry_type = EntryType::skip;
    tail_ += skipped;
    place = 0;
  }
  const std::uint64_t half = head + capacity_ / 2;
  const std::uint64_t stretch = tail_ + std::max(bytes, kStretchBytes);
  if (tail_ + bytes > half) {
    hurry_ = true;
    watch_at_ = std::min(tail_ + std::max(bytes, capacity_ / 16), head + capacity_);
  } else {
    watch_at_ = std::min(stretch, std::max(half, tail_ + bytes));
  }
  return memory_ + place;
}

}  // namespace spanwire::trace::detail
