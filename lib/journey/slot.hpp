// Slots: where the contexts of requests live.  A slot is used again and again and its memory is
// never given back, so that a handle of a context that is gone finds a lock of another generation,
// never foreign memory.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "lib/base/spin_lock.hpp"

namespace spanwire::journey {

// Slots of one kind, in shards by thread so that taking one rarely waits.  Safe from any thread.
// T has `SlotLock lock` and `std::uint32_t home`.
template <class T>
class SlotPool {
 public:
  explicit SlotPool(std::size_t slots_max) : chunks_max_((slots_max + kChunk - 1) / kChunk) {}

  // Null when all are in use.  Grows only when no shard has a free one: threads come and go.
  T* take() {
    const std::uint32_t here = shard_of_thread();
    for (std::uint32_t i = 0; i < kShards; ++i) {
      if (T* slot = take_from(shards_[(here + i) % kShards])) return slot;
    }
    Shard& shard = shards_[here];
    const std::scoped_lock lock(shard.mutex);
    if (shard.free.empty() && !grow(shard, here)) return nullptr;
    return pop(shard);
  }
  void give(T& slot) {
    Shard& shard = shards_[slot.home];
    const std::scoped_lock lock(shard.mutex);
    shard.free.push_back(&slot);
    shard.count(-1);
  }
  // Counted by shard, under its lock: one counter for all would cost each take and give a locked
  // instruction.
  bool any_in_use() const noexcept {
    return std::any_of(shards_.begin(), shards_.end(), [](const Shard& shard) {
      return shard.in_use.load(std::memory_order_relaxed) != 0;
    });
  }

  // Every slot that was ever taken, in use or not.
  template <class Visit>
  void for_each(const Visit& visit) {
    std::vector<T*> chunks;
    for (Shard& shard : shards_) {
      const std::scoped_lock lock(shard.mutex);
      for (const auto& chunk : shard.chunks) chunks.push_back(chunk.get());
    }
    for (T* chunk : chunks) {
      for (std::size_t i = 0; i < kChunk; ++i) visit(chunk[i]);
    }
  }

 private:
  static constexpr std::uint32_t kShards = 16;
  static constexpr std::size_t kChunk = 64;
  struct alignas(64) Shard {
    void count(std::int64_t more) noexcept {
      in_use.store(in_use.load(std::memory_order_relaxed) + more, std::memory_order_relaxed);
    }

    SpinLock mutex;
    std::atomic<std::int64_t> in_use{0};
    std::vector<T*> free;
    std::vector<std::unique_ptr<T[]>> chunks;
  };

  T* take_from(Shard& shard) {
    const std::scoped_lock lock(shard.mutex);
    return shard.free.empty() ? nullptr : pop(shard);
  }
  static T* pop(Shard& shard) {
    T* slot = shard.free.back();
    shard.free.pop_back();
    shard.count(1);
    slot->lock.adopt();
    return slot;
  }
  bool grow(Shard& shard, std::uint32_t home) {
    if (chunk_count_.fetch_add(1, std::memory_order_relaxed) >= chunks_max_) {
      chunk_count_.fetch_sub(1, std::memory_order_relaxed);
      return false;
    }
    shard.chunks.push_back(std::make_unique<T[]>(kChunk));
    shard.free.reserve(shard.chunks.size() * kChunk);
    for (std::size_t i = kChunk; i > 0; --i) {
      T& slot = shard.chunks.back()[i - 1];
      slot.home = home;
      shard.free.push_back(&slot);
    }
    return true;
  }
  static std::uint32_t shard_of_thread() noexcept {
    static std::atomic<std::uint32_t> next{0};
    thread_local const std::uint32_t shard = next.fetch_add(1, std::memory_order_relaxed) % kShards;
    return shard;
  }

  const std::size_t chunks_max_;
  std::atomic<std::size_t> chunk_count_{0};
  std::array<Shard, kShards> shards_;
};

}  // namespace spanwire::journey
