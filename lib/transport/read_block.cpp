#include "lib/transport/read_block.hpp"

namespace spanwire::transport {

ReadBlock& ReadBlock::of_thread() noexcept {
  static thread_local ReadBlock block;
  return block;
}

ReadBlock::~ReadBlock() { drop(); }

void ReadBlock::drop() noexcept {
  if (block_ == nullptr) return;
  block_->release();
  block_ = nullptr;
  kept_ = 0;
}

void ReadBlock::rest() noexcept {
  if (block_ != nullptr && block_->unique()) drop();
}

MutableByteView ReadBlock::room() {
  if (block_ != nullptr && kept_ != 0 && block_->unique()) kept_ = 0;
  if (block_ != nullptr && block_->capacity() - kept_ < kReadRoomBytesMin) {
    drop();
  }
  if (block_ == nullptr) block_ = Block::make(kReadBlockBytes);
  return {block_->data() + kept_, block_->capacity() - kept_};
}

void ReadBlock::used(std::size_t bytes) noexcept {
  if (block_->unique()) {
    kept_ = 0;
  } else {
    kept_ += bytes;
  }
}

}  // namespace spanwire::transport
