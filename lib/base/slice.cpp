#include "spanwire/base/slice.hpp"

#include <algorithm>
#include <new>

#include "spanwire/base/pool.hpp"

namespace spanwire {
namespace {

constexpr std::size_t kBufferBytesMin = 256;

struct StringOwner {
  std::string text;
};

}  // namespace

Block* Block::make(std::size_t capacity) {
  const std::size_t total = pool_capacity(sizeof(Block) + capacity);
  auto* block = new (pool_allocate(total)) Block;
  block->capacity_ = total - sizeof(Block);
  block->data_ = reinterpret_cast<std::byte*>(block + 1);
  return block;
}

Block* Block::wrap(std::byte* data, std::size_t size, void (*release)(void*) noexcept,
                   void* owner) {
  auto* block = new (pool_allocate(sizeof(Block))) Block;
  block->capacity_ = size;
  block->data_ = data;
  block->release_ = release;
  block->owner_ = owner;
  return block;
}

void Block::destroy() noexcept {
  if (release_ != nullptr) {
    release_(owner_);
    pool_free(this, sizeof(Block));
    return;
  }
  pool_free(this, sizeof(Block) + capacity_);
}

Slice Slice::copy_of(ByteView bytes) {
  if (bytes.empty()) return {};
  Block* block = Block::make(bytes.size());
  std::memcpy(block->data(), bytes.data(), bytes.size());
  return adopt(block, block->data(), bytes.size());
}

Slice Slice::of(std::string text) {
  if (text.empty()) return {};
  auto* owner = new StringOwner{std::move(text)};
  auto* data = reinterpret_cast<std::byte*>(owner->text.data());
  Block* block = Block::wrap(
      data, owner->text.size(), [](void* o) noexcept { delete static_cast<StringOwner*>(o); },
      owner);
  return adopt(block, data, owner->text.size());
}

MutableByteView Buffer::reserve(std::size_t bytes) {
  if (block_ == nullptr || bytes > capacity() - size_) {
    Block* grown = Block::make(std::max({size_ + bytes, capacity() * 2, kBufferBytesMin}));
    if (size_ != 0) std::memcpy(grown->data(), block_->data(), size_);
    if (block_ != nullptr) block_->release();
    block_ = grown;
  }
  return {block_->data() + size_, block_->capacity() - size_};
}

void Buffer::append(ByteView bytes) {
  if (bytes.empty()) return;
  std::memcpy(reserve(bytes.size()).data(), bytes.data(), bytes.size());
  size_ += bytes.size();
}

Slice Buffer::take() noexcept {
  if (block_ == nullptr) return {};
  const std::size_t size = std::exchange(size_, 0);
  Block* block = std::exchange(block_, nullptr);
  return Slice::adopt(block, block->data(), size);
}

}  // namespace spanwire
