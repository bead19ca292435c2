#include "lib/trace/wait_word.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <climits>
#include <ctime>

namespace spanwire::trace::detail {
namespace {

long futex(std::atomic<std::uint32_t>& word, int operation, std::uint32_t value,
           const timespec* until) noexcept {
  static_assert(sizeof word == sizeof(std::uint32_t));
  return syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&word), operation | FUTEX_PRIVATE_FLAG,
                 value, until, nullptr, FUTEX_BITSET_MATCH_ANY);
}

}  // namespace

void WaitWord::notify() noexcept {
  // Sequentially consistent with wait(): either it sees the new number, or we see that it waits.
  word_.fetch_add(1);
  if (waiting_.load() != 0) futex(word_, FUTEX_WAKE, INT_MAX, nullptr);
}

bool WaitWord::wait(std::uint32_t seen, MonotonicTime deadline) noexcept {
  waiting_.fetch_add(1);
  if (word_.load() == seen) {
    const std::int64_t ns = deadline.time_since_epoch().count();
    const timespec until{static_cast<time_t>(ns / 1'000'000'000),
                         static_cast<long>(ns % 1'000'000'000)};
    futex(word_, FUTEX_WAIT_BITSET, seen, &until);
  }
  waiting_.fetch_sub(1);
  return word_.load(std::memory_order_acquire) != seen;
}

}  // namespace spanwire::trace::detail
