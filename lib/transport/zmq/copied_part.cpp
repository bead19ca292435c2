#include "lib/transport/zmq/copied_part.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <utility>

#include "lib/transport/zmq/hand_over.hpp"

namespace spanwire::transport {
namespace {

// What libzmq keeps within a message, without other memory.
constexpr std::size_t kInsideMax = 33;
constexpr std::size_t kBlockBytes = 4'080;  // with the count 4 KiB less what malloc needs

struct Block {
  // The parts that are left, and as long as more are made as many as there can never be.
  static constexpr std::uint32_t kOpen = 1u << 30;

  std::atomic<std::uint32_t> parts{kOpen};
  std::array<std::byte, kBlockBytes> bytes;

  void take_off(std::uint32_t count) noexcept {
    if (parts.fetch_sub(count, std::memory_order_acq_rel) == count) delete this;
  }
};

// What was written into the part before it was sent, by whatever thread, is done.
void drop(void* /*data*/, void* block) noexcept {
  zmq_taken_over(block);
  zmq_taken_over(kZmqWire);
  static_cast<Block*>(block)->take_off(1);
}

// The block that a thread is at.
class OpenBlock {
 public:
  OpenBlock() = default;
  ~OpenBlock() { close(); }
  OpenBlock(const OpenBlock&) = delete;
  OpenBlock& operator=(const OpenBlock&) = delete;

  ZmqPart copy(ByteView bytes) {
    if (block_ == nullptr || bytes.size() > kBlockBytes - used_) {
      close();
      block_ = new Block;
    }
    std::byte* const to = block_->bytes.data() + used_;
    std::memcpy(to, bytes.data(), bytes.size());
    used_ += bytes.size();
    ++made_;
    zmq_handed_over(block_);
    return ZmqPart(to, bytes.size(), &drop, block_);
  }

 private:
  void close() noexcept {
    if (block_ != nullptr) std::exchange(block_, nullptr)->take_off(Block::kOpen - made_);
    used_ = 0;
    made_ = 0;
  }

  Block* block_ = nullptr;
  std::size_t used_ = 0;
  std::uint32_t made_ = 0;
};

}  // namespace

ZmqPart copied_part(ByteView bytes) {
  static thread_local OpenBlock open;
  const bool shared = bytes.size() > kInsideMax && bytes.size() <= kSharedPartBytesMax;
  return shared ? open.copy(bytes) : ZmqPart(bytes.data(), bytes.size());
}

}  // namespace spanwire::transport
