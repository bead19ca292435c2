// What a v1 client has asked and not been answered, oldest first.  Internal to channel.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "spanwire/base/assert.hpp"
#include "spanwire/base/clock.hpp"
#include "spanwire/base/slice.hpp"
#include "spanwire/channel/channel.hpp"

namespace spanwire::channel {

// A request that the link has.
struct V1Sent {
  CallId id = 0;
  CallSink* sink = nullptr;      // null: given up, its answer is still owed
  std::uint64_t first_byte = 0;  // in the link's count
  MonotonicTime since;
};

// First in, first out; grows by doubling and is then reused.
class V1SentQueue {
 public:
  bool empty() const noexcept { return count_ == 0; }
  std::size_t size() const noexcept { return count_; }
  const V1Sent& front() const noexcept { return items_[first_]; }

  void push(const V1Sent& sent) {
    if (count_ == items_.size()) grow();
    ++count_;
    at(count_ - 1) = sent;
  }
  // Its sink hears no more.  The ids in the queue ascend, around the end of their range too.
  void forget(CallId id) noexcept {
    std::size_t low = 0;
    for (std::size_t high = count_; low < high;) {
      const std::size_t middle = low + (high - low) / 2;
      if (at(middle).id - front().id < id - front().id) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    if (low < count_ && at(low).id == id) at(low).sink = nullptr;
  }
  V1Sent pop() noexcept {
    SPANWIRE_ASSERT(count_ != 0);
    const V1Sent sent = items_[first_];
    first_ = (first_ + 1) & (items_.size() - 1);
    --count_;
    return sent;
  }

 private:
  V1Sent& at(std::size_t index) noexcept { return items_[(first_ + index) & (items_.size() - 1)]; }
  void grow() {
    std::vector<V1Sent> larger(items_.empty() ? 16 : items_.size() * 2);
    for (std::size_t i = 0; i < count_; ++i) larger[i] = at(i);
    items_ = std::move(larger);
    first_ = 0;
  }

  std::vector<V1Sent> items_;
  std::size_t first_ = 0;
  std::size_t count_ = 0;
};

// A request that waits for the link to take more.
struct V1Waiting {
  CallId id = 0;
  CallSink* sink = nullptr;
  Slice head;
  Slice payload;

  std::size_t bytes() const noexcept { return head.size() + payload.size(); }
};

}  // namespace spanwire::channel
