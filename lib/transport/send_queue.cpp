#include "lib/transport/send_queue.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "spanwire/base/assert.hpp"

namespace spanwire::transport {
namespace {

// With its header a block fills a size class of the pool exactly.
constexpr std::size_t kOutBlockBytes = (64u << 10) - sizeof(Block);
constexpr std::size_t kSegmentsAtFirst = 16;

}  // namespace

std::byte* SendQueue::reserve_slowly(std::size_t bytes) {
  if (open_ != nullptr) {
    block_used_ = static_cast<std::size_t>(cursor_ - block_->data());
    open_ = nullptr;
  }
  if (block_ == nullptr || bytes > block_->capacity() - block_used_) {
    if (block_ != nullptr) block_->release();
    block_ = Block::make(std::max(bytes, kOutBlockBytes));
    block_used_ = 0;
  }
  Segment& segment = push();
  cursor_ = block_->data() + block_used_;
  room_ = block_->capacity() - block_used_;
  block_->retain();
  segment.owner = Slice::adopt(block_, cursor_, room_);
  segment.data = cursor_;
  segment.size = 0;
  open_ = &segment;
  return cursor_;
}

void SendQueue::append(ByteView bytes) {
  if (bytes.empty()) return;
  std::memcpy(reserve(bytes.size()), bytes.data(), bytes.size());
  commit(bytes.size());
}

void SendQueue::append(Slice&& slice) {
  if (open_ != nullptr) {
    block_used_ = static_cast<std::size_t>(cursor_ - block_->data());
    open_ = nullptr;
    room_ = 0;
  }
  Segment& segment = push();
  segment.data = slice.data();
  segment.size = slice.size();
  segment.owner = std::move(slice);
  queued_bytes_ += segment.size;
}

SendQueue::Segment& SendQueue::push() {
  if (count_ == ring_.size()) {
    std::vector<Segment> larger(std::max(kSegmentsAtFirst, ring_.size() * 2));
    for (std::size_t i = 0; i < count_; ++i) larger[i] = std::move(at(i));
    ring_ = std::move(larger);
    first_ = 0;
  }
  ++count_;
  return at(count_ - 1);
}

std::size_t SendQueue::fill(std::span<iovec> vectors) const noexcept {
  std::size_t filled = 0;
  for (std::size_t i = 0; i < count_ && filled < vectors.size(); ++i) {
    const Segment& segment = at(i);
    if (segment.size == 0) continue;
    vectors[filled].iov_base = const_cast<std::byte*>(segment.data);
    vectors[filled].iov_len = segment.size;
    ++filled;
  }
  return filled;
}

void SendQueue::consume(std::size_t bytes) noexcept {
  SPANWIRE_ASSERT(bytes <= queued_bytes_);
  queued_bytes_ -= bytes;
  if (queued_bytes_ == 0) {
    clear();
    return;
  }
  while (bytes != 0) {
    Segment& segment = at(0);
    const std::size_t taken = std::min(bytes, segment.size);
    segment.data += taken;
    segment.size -= taken;
    bytes -= taken;
    if (segment.size != 0 || &segment == open_) break;
    segment.owner = Slice();
    first_ = (first_ + 1) & (ring_.size() - 1);
    --count_;
  }
}

// An idle connection keeps no block: the pool has one for whoever writes next.
void SendQueue::drop_block() noexcept {
  if (block_ == nullptr) return;
  block_->release();
  block_ = nullptr;
  block_used_ = 0;
}

void SendQueue::clear() noexcept {
  for (std::size_t i = 0; i < count_; ++i) at(i).owner = Slice();
  first_ = count_ = 0;
  queued_bytes_ = 0;
  open_ = nullptr;
  room_ = 0;
  cursor_ = nullptr;
  drop_block();
}

}  // namespace spanwire::transport
