// ReadBlock: where a thread's links read into, so that an idle connection costs no buffer.  Comes
// from the pool for each readiness; one of which somebody keeps a part is used up first.
#pragma once

#include <cstddef>

#include "spanwire/base/slice.hpp"

namespace spanwire::transport {

// With its header a block fills a size class of the pool exactly.  Larger ones measured no faster:
// what was read should still be in the cache when it is parsed.
inline constexpr std::size_t kReadBlockBytes = (64u << 10) - sizeof(Block);
// Less room than this is not worth a read.
inline constexpr std::size_t kReadRoomBytesMin = 16u << 10;

// One thread.
class ReadBlock {
 public:
  static ReadBlock& of_thread() noexcept;

  ReadBlock() noexcept = default;
  ~ReadBlock();
  ReadBlock(const ReadBlock&) = delete;
  ReadBlock& operator=(const ReadBlock&) = delete;

  // At least kReadRoomBytesMin of memory that nobody else reads or writes.
  MutableByteView room();
  // The block behind the last room().
  Block& block() noexcept { return *block_; }
  // `bytes` of the room were filled and handed on; what is retained of them stays untouched.
  void used(std::size_t bytes) noexcept;
  // Nothing is read for now.
  void rest() noexcept;
  void drop() noexcept;

 private:
  Block* block_ = nullptr;
  std::size_t kept_ = 0;  // bytes at the front that somebody retains
};

}  // namespace spanwire::transport
