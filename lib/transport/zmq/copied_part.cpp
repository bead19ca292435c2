#include "lib/transport/zmq/copied_part.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <memory>
#include <utility>

#include "lib/transport/zmq/hand_over.hpp"
#include "spanwire/base/pool.hpp"

namespace spanwire::transport {
namespace {

// What libzmq keeps within a message, without other memory.
constexpr std::size_t kInsideMax = 33;
constexpr std::size_t kBlockBytes = 4'064;  // 4 KiB with the rest of a block and what malloc needs
// A thread keeps no more blocks than so many that came back and as many at hand.
constexpr int kBlocksKeptMax = detail::kPoolKeeps ? 256 : 0;

class Returned;

struct Block {
  // The parts that are left, and as long as more are made as many as there can never be.
  static constexpr std::uint32_t kOpen = 1u << 30;

  std::atomic<std::uint32_t> parts{kOpen};
  std::shared_ptr<Returned> home;
  Block* next = nullptr;  // in a list of blocks that nothing uses
  std::array<std::byte, kBlockBytes> bytes;

  void take_off(std::uint32_t count) noexcept;
};

void delete_all(Block* blocks) noexcept {
  while (blocks != nullptr) delete std::exchange(blocks, blocks->next);
}

// The blocks of a thread that others have come to the end of.  malloc would take far longer for a
// block that another thread has freed than for everything else that a message costs.
class Returned {
 public:
  // Any thread.
  void give(Block* block) noexcept {
    if (count_.fetch_add(1, std::memory_order_relaxed) < kBlocksKeptMax) {
      block->next = first_.load(std::memory_order_relaxed);
      while (block->next != ended()) {
        if (first_.compare_exchange_weak(block->next, block, std::memory_order_release)) return;
      }
    }
    count_.fetch_sub(1, std::memory_order_relaxed);
    delete block;
  }
  // Only the thread whose they are.
  Block* take() noexcept {
    if (first_.load(std::memory_order_relaxed) == nullptr) return nullptr;
    count_.store(0, std::memory_order_relaxed);  // give or take those that come just now
    return first_.exchange(nullptr, std::memory_order_acquire);
  }
  void end() noexcept { delete_all(first_.exchange(ended(), std::memory_order_acquire)); }

 private:
  Block* ended() noexcept { return reinterpret_cast<Block*>(this); }

  std::atomic<Block*> first_{nullptr};
  std::atomic<int> count_{0};
};

void Block::take_off(std::uint32_t count) noexcept {
  if (parts.fetch_sub(count, std::memory_order_acq_rel) != count) return;
  const std::shared_ptr<Returned> keep = home;
  keep->give(this);
}

// What was written into the part before it was sent, by whatever thread, is done.
void drop(void* /*data*/, void* block) noexcept {
  zmq_taken_over(block);
  zmq_taken_over(kZmqWire);
  static_cast<Block*>(block)->take_off(1);
}

// The block that a thread is at.
class OpenBlock {
 public:
  OpenBlock() : returned_(std::make_shared<Returned>()) {}
  ~OpenBlock() {
    close();
    delete_all(spare_);
    returned_->end();
  }
  OpenBlock(const OpenBlock&) = delete;
  OpenBlock& operator=(const OpenBlock&) = delete;

  void copy(ZmqPart& part, ByteView bytes) {
    if (block_ == nullptr || bytes.size() > kBlockBytes - used_) open();
    std::byte* const to = block_->bytes.data() + used_;
    std::memcpy(to, bytes.data(), bytes.size());
    used_ += bytes.size();
    ++made_;
    zmq_handed_over(block_);
    part.lend(to, bytes.size(), &drop, block_);
  }

 private:
  void open() {
    close();
    if (spare_ == nullptr) spare_ = returned_->take();
    if (spare_ == nullptr) {
      block_ = new Block;
      block_->home = returned_;
      return;
    }
    block_ = std::exchange(spare_, spare_->next);
    block_->parts.store(Block::kOpen, std::memory_order_relaxed);
  }

  void close() noexcept {
    if (block_ != nullptr) std::exchange(block_, nullptr)->take_off(Block::kOpen - made_);
    used_ = 0;
    made_ = 0;
  }

  const std::shared_ptr<Returned> returned_;
  Block* spare_ = nullptr;
  Block* block_ = nullptr;
  std::size_t used_ = 0;
  std::uint32_t made_ = 0;
};

}  // namespace

void copy_part(ZmqPart& part, ByteView bytes) {
  if (bytes.size() <= kInsideMax || bytes.size() > kSharedPartBytesMax) return part.copy(bytes);
  static thread_local OpenBlock open;
  open.copy(part, bytes);
}

}  // namespace spanwire::transport
