#include "lib/trace/arena.hpp"

#include <bit>
#include <mutex>
#include <new>

#include "spanwire/base/pool.hpp"

namespace spanwire::trace::detail {

Arena::~Arena() {
  for (std::size_t i = 0; i < kClasses; ++i) {
    while (std::byte* block = take_kept(i)) ::operator delete(block);
  }
}

std::size_t Arena::class_of(std::size_t bytes) noexcept {
  if (bytes <= kSmallest) return 0;
  const auto index = static_cast<std::size_t>(std::bit_width((bytes - 1) / kSmallest));
  return index < kClasses ? index : kClasses;
}

std::byte* Arena::take_kept(std::size_t index) noexcept {
  Class& kept = classes_[index];
  const std::scoped_lock lock(kept.mutex);
  Free* free = kept.first;
  if (free == nullptr) return nullptr;
  kept.first = free->next;
  kept.kept_bytes -= kSmallest << index;
  return reinterpret_cast<std::byte*>(free);
}

bool Arena::keep(std::size_t index, std::byte* block) noexcept {
  // Under the address sanitizer every use after free shall be seen.
  if constexpr (!spanwire::detail::kPoolKeeps) return false;
  Class& kept = classes_[index];
  const std::scoped_lock lock(kept.mutex);
  if (kept.kept_bytes == kKeptBytesMax) return false;
  kept.first = new (block) Free{kept.first};
  kept.kept_bytes += kSmallest << index;
  return true;
}

std::byte* Arena::take(std::size_t bytes) noexcept {
  const std::size_t used = bytes_.fetch_add(bytes, std::memory_order_relaxed);
  if (used <= bytes_max_ && bytes <= bytes_max_ - used) {
    const std::size_t index = class_of(bytes);
    std::byte* block = index < kClasses ? take_kept(index) : nullptr;
    if (block == nullptr) {
      const std::size_t whole = index < kClasses ? kSmallest << index : bytes;
      block = static_cast<std::byte*>(::operator new(whole, std::nothrow));
    }
    if (block != nullptr) return block;
  }
  bytes_.fetch_sub(bytes, std::memory_order_relaxed);
  return nullptr;
}

void Arena::give(std::byte* block, std::size_t bytes) noexcept {
  const std::size_t index = class_of(bytes);
  if (index == kClasses || !keep(index, block)) ::operator delete(block);
  bytes_.fetch_sub(bytes, std::memory_order_relaxed);
}

}  // namespace spanwire::trace::detail
