#include "spanwire/base/pool.hpp"

#include <array>
#include <atomic>
#include <bit>
#include <new>

#include "spanwire/base/assert.hpp"

namespace spanwire {
namespace {

constexpr std::size_t kStep = 64;
constexpr std::size_t kSmallMax = 1024;
constexpr std::size_t kSmallClasses = kSmallMax / kStep;
constexpr std::size_t kLargeMax = 256u << 10;
constexpr std::size_t kClasses = kSmallClasses + 8;  // 2, 4, ... 256 KiB

struct FreeItem {
  FreeItem* next;
};

std::size_t class_of(std::size_t bytes) noexcept {
  if (bytes <= kSmallMax) return bytes == 0 ? 0 : (bytes - 1) / kStep;
  return kSmallClasses + static_cast<std::size_t>(std::bit_width((bytes - 1) >> 11));
}

std::size_t class_bytes(std::size_t index) noexcept {
  if (index < kSmallClasses) return (index + 1) * kStep;
  return std::size_t{2048} << (index - kSmallClasses);
}

// Under the address sanitizer everything goes to the heap, where it sees each use after free.
#if defined(__SANITIZE_ADDRESS__)
constexpr bool kKeepsMemory = false;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
constexpr bool kKeepsMemory = false;
#else
constexpr bool kKeepsMemory = true;
#endif
#else
constexpr bool kKeepsMemory = true;
#endif

// Ends of live counters of threads that are gone.
std::atomic<std::int64_t> live_of_ended_threads{0};

struct Lists;
struct Registry {
  std::atomic<Lists*> first{nullptr};
};
constinit Registry registry;

// A thread's lists.  Nodes of the registry are never freed: an ended thread's node is used again.
struct Lists {
  std::array<FreeItem*, kClasses> free{};
  std::size_t kept_bytes = 0;
  std::atomic<std::int64_t> live{0};
  std::atomic<bool> in_use{true};
  Lists* next = nullptr;

  void count(std::int64_t by) noexcept {
    live.store(live.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
  }
};

Lists* claim_lists() {
  for (Lists* lists = registry.first.load(std::memory_order_acquire); lists != nullptr;
       lists = lists->next) {
    bool expected = false;
    if (!lists->in_use.load(std::memory_order_relaxed) &&
        lists->in_use.compare_exchange_strong(expected, true, std::memory_order_acquire)) {
      return lists;
    }
  }
  auto* lists = new Lists;
  Lists* first = registry.first.load(std::memory_order_relaxed);
  do {
    lists->next = first;
  } while (!registry.first.compare_exchange_weak(first, lists, std::memory_order_release));
  return lists;
}

void drain(Lists& lists) noexcept {
  for (FreeItem*& head : lists.free) {
    while (head != nullptr) {
      FreeItem* item = head;
      head = item->next;
      ::operator delete(item);
    }
  }
  lists.kept_bytes = 0;
}

struct Holder {
  ~Holder();
};

// Plain pointers, so that the hot path has no initialisation check.
constinit thread_local Lists* mine = nullptr;
constinit thread_local bool ended = false;
thread_local Holder holder;

Holder::~Holder() {
  if (mine != nullptr) {
    drain(*mine);
    mine->in_use.store(false, std::memory_order_release);
    mine = nullptr;
  }
  ended = true;
}

[[gnu::noinline]] Lists* lists_of_new_thread() {
  if (ended) return nullptr;
  static_cast<void>(&holder);
  mine = claim_lists();
  asm volatile("" : : "r"(&holder) : "memory");  // makes the thread-local holder, whose end drains
  return mine;
}

}  // namespace

void* pool_allocate(std::size_t bytes) {
  Lists* lists = mine != nullptr ? mine : lists_of_new_thread();
  if (lists == nullptr) {
    live_of_ended_threads.fetch_add(1, std::memory_order_relaxed);
    return ::operator new(bytes <= kLargeMax ? class_bytes(class_of(bytes)) : bytes);
  }
  lists->count(1);
  if (bytes > kLargeMax) return ::operator new(bytes);
  const std::size_t index = class_of(bytes);
  FreeItem* item = lists->free[index];
  if (item == nullptr) return ::operator new(class_bytes(index));
  lists->free[index] = item->next;
  lists->kept_bytes -= class_bytes(index);
  return item;
}

void pool_free(void* memory, std::size_t bytes) noexcept {
  if (memory == nullptr) return;
  Lists* lists = mine != nullptr ? mine : lists_of_new_thread();
  if (lists == nullptr) {
    live_of_ended_threads.fetch_sub(1, std::memory_order_relaxed);
    ::operator delete(memory);
    return;
  }
  lists->count(-1);
  const std::size_t index = bytes <= kLargeMax ? class_of(bytes) : kClasses;
  if (!kKeepsMemory || index == kClasses ||
      lists->kept_bytes + class_bytes(index) > kPoolKeptBytesPerThreadMax) {
    ::operator delete(memory);
    return;
  }
  auto* item = static_cast<FreeItem*>(memory);
  item->next = lists->free[index];
  lists->free[index] = item;
  lists->kept_bytes += class_bytes(index);
}

std::size_t pool_capacity(std::size_t bytes) noexcept {
  return bytes <= kLargeMax ? class_bytes(class_of(bytes)) : bytes;
}

std::int64_t pool_live() noexcept {
  std::int64_t sum = live_of_ended_threads.load(std::memory_order_relaxed);
  for (const Lists* lists = registry.first.load(std::memory_order_acquire); lists != nullptr;
       lists = lists->next) {
    sum += lists->live.load(std::memory_order_relaxed);
  }
  return sum;
}

}  // namespace spanwire
