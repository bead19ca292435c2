#include "lib/trace/ring.hpp"

#include <sys/mman.h>

#include <algorithm>

#include "lib/trace/slab.hpp"
#include "spanwire/base/assert.hpp"

namespace spanwire::trace::detail {
namespace {

// With more than this waiting the reader should come, long before the ring is full: about what a
// core's own cache holds.  Much less and the writer pays for waking the reader, and for fetching
// the lines back that the two then write and read at the same time.
constexpr std::size_t kHurryBytes = 2048u << 10;

}  // namespace

Ring::Ring(std::size_t capacity) noexcept : capacity_(capacity) {
  SPANWIRE_ASSERT(capacity >= 4096 && (capacity & (capacity - 1)) == 0);
  memory_ = static_cast<std::byte*>(reserve_memory(capacity, std::min(capacity, kHugePageBytes)));
}

Ring::~Ring() { release_memory(memory_, capacity_); }

std::byte* Ring::reserve_slowly(std::size_t bytes) noexcept {
  if (memory_ == nullptr || bytes > capacity_ / 2) return nullptr;
  std::uint64_t head = shared_head_.load(std::memory_order_acquire);
  const std::size_t to_end = capacity_ - (tail_ & (capacity_ - 1));
  const bool empty = head == tail_;
  const bool skips = bytes > to_end || (empty && capacity_ - to_end >= kStretchBytes);
  const std::size_t skipped = skips ? to_end : 0;
  if (!empty && tail_ + skipped + bytes - head > capacity_) {
    watch_at_ = tail_;
    return nullptr;
  }
  if (skips) {
    skip(to_end);
    // A reader with nothing to read leaves the head alone, so it may be moved for it: what was
    // skipped is free at once.
    if (empty) shared_head_.store(head = tail_, std::memory_order_release);
  }
  const std::size_t enough = std::min(capacity_ / 2, kHurryBytes);
  if (tail_ + bytes > head + enough) {
    hurry_ = true;
    watch_at_ = std::min(tail_ + std::max(bytes, enough / 2), head + capacity_);
  } else {
    watch_at_ = std::min(tail_ + std::max(bytes, kStretchBytes), head + enough);
  }
  const std::uint64_t lap = tail_ & ~std::uint64_t{capacity_ - 1};
  watch_at_ = std::min(watch_at_, lap + capacity_);
  if (touched_ < capacity_) touch_ahead(lap, bytes);
  return memory_ + (tail_ & (capacity_ - 1));
}

// A stretch at once: page by page, as they are written, costs more in all, and more spans.  A
// kernel before 5.14 does not know the advice, and it is page by page.
void Ring::touch_ahead(std::uint64_t lap, std::size_t bytes) noexcept {
  const std::size_t stretch = std::min(capacity_, kStretchBytes);
  while (tail_ + bytes > lap + touched_) {
    madvise(memory_ + touched_, stretch, MADV_POPULATE_WRITE);
    touched_ += stretch;
  }
  watch_at_ = std::min(watch_at_, lap + touched_);
}

// One at a visit, two ahead of the writer.  A machine without huge pages refuses, and all stays as
// it is.
void Ring::ready_huge_page() noexcept {
  const std::size_t place = shared_tail_.load(std::memory_order_acquire) & (capacity_ - 1);
  while (huge_to_ < place) huge_to_ += kHugePageBytes;
  if (huge_to_ >= capacity_ || huge_to_ > place + 2 * kHugePageBytes) return;
  std::byte* const page = memory_ + huge_to_;
  huge_to_ += kHugePageBytes;
  if (madvise(page, kHugePageBytes, MADV_HUGEPAGE) == 0) {
    madvise(page, kHugePageBytes, MADV_POPULATE_WRITE);
  }
}

void Ring::skip(std::size_t bytes) noexcept {
  auto* entry = reinterpret_cast<RecordHeader*>(memory_ + (tail_ & (capacity_ - 1)));
  entry->entry_bytes = static_cast<std::uint32_t>(bytes);
  entry->entry_type = EntryType::skip;
  tail_ += bytes;
}

}  // namespace spanwire::trace::detail
