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
  CallSink* sink = nullptr;
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
    items_[(first_ + count_) & (items_.size() - 1)] = sent;
    ++count_;
  }
  V1Sent pop() noexcept {
    SPANWIRE_ASSERT(count_ != 0);
    const V1Sent sent = items_[first_];
    first_ = (first_ + 1) & (items_.size() - 1);
    --count_;
    return sent;
  }

 private:
  void grow() {
    std::vector<V1Sent> larger(items_.empty() ? 16 : items_.size() * 2);
    for (std::size_t i = 0; i < count_; ++i) larger[i] = items_[(first_ + i) & (items_.size() - 1)];
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
