// Bytes and who owns them: ByteView borrows, Slice shares, Buffer owns and grows.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "spanwire/base/assert.hpp"

namespace spanwire {

using ByteView = std::span<const std::byte>;
using MutableByteView = std::span<std::byte>;

inline ByteView bytes_of(std::string_view text) noexcept {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}
inline std::string_view text_of(ByteView bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Memory with a reference count, header and bytes in one piece of the pool (or a user's memory with
// a release function).  Safe from any thread.
class Block {
 public:
  // A block with room for at least `capacity` bytes and one reference.
  static Block* make(std::size_t capacity);
  // A block over memory of somebody else; `release` runs once, on whichever thread drops the last
  // reference.
  static Block* wrap(std::byte* data, std::size_t size, void (*release)(void* owner) noexcept,
                     void* owner);

  void retain() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
  void release() noexcept {
    // The only owner needs no locked instruction.
    if (references_.load(std::memory_order_acquire) == 1 ||
        references_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      destroy();
    }
  }
  bool unique() const noexcept { return references_.load(std::memory_order_acquire) == 1; }
  std::byte* data() noexcept { return data_; }
  std::size_t capacity() const noexcept { return capacity_; }

 private:
  Block() = default;
  void destroy() noexcept;

  std::atomic<std::uint32_t> references_{1};
  std::size_t capacity_ = 0;
  std::byte* data_ = nullptr;
  void (*release_)(void*) noexcept = nullptr;
  void* owner_ = nullptr;
};

// Immutable bytes, shared.  A copy is one reference count, a part of a slice keeps the whole block
// alive.  One thread at a time per object; different Slice objects over one block may be used from
// different threads.
class Slice {
 public:
  Slice() noexcept = default;
  Slice(const Slice& other) noexcept
      : block_(other.block_), data_(other.data_), size_(other.size_) {
    if (block_ != nullptr) block_->retain();
  }
  Slice(Slice&& other) noexcept
      : block_(std::exchange(other.block_, nullptr)),
        data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)) {}
  Slice& operator=(Slice other) noexcept {
    std::swap(block_, other.block_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~Slice() {
    if (block_ != nullptr) block_->release();
  }

  // Takes over one reference of `block`; `data` lies inside it.
  static Slice adopt(Block* block, const std::byte* data, std::size_t size) noexcept {
    Slice slice;
    slice.block_ = block;
    slice.data_ = data;
    slice.size_ = size;
    return slice;
  }
  static Slice copy_of(ByteView bytes);
  static Slice copy_of(std::string_view text) { return copy_of(bytes_of(text)); }
  // Bytes that outlive every slice, such as a literal: nothing is counted.
  static Slice of_static(std::string_view text) noexcept {
    return adopt(nullptr, bytes_of(text).data(), text.size());
  }
  // Takes over a string without a copy.
  static Slice of(std::string text);

  const std::byte* data() const noexcept { return data_; }
  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  ByteView view() const noexcept { return {data_, size_}; }
  operator ByteView() const noexcept { return view(); }  // NOLINT: a Slice is a ByteView that owns
  std::string_view text() const noexcept { return text_of(view()); }

  // A part that shares the block.  `offset` and `size` must lie inside.
  Slice part(std::size_t offset, std::size_t size) const& noexcept {
    Slice result(*this);
    result.narrow(offset, size);
    return result;
  }
  // Makes this slice a part of itself: costs nothing.
  void narrow(std::size_t offset, std::size_t size) noexcept {
    SPANWIRE_ASSERT(offset <= size_ && size <= size_ - offset);
    data_ += offset;
    size_ = size;
  }
  // Bytes of memory that this slice keeps alive.
  std::size_t pinned_bytes() const noexcept { return block_ != nullptr ? block_->capacity() : 0; }

  friend bool operator==(const Slice& a, const Slice& b) noexcept { return a.text() == b.text(); }

 private:
  Block* block_ = nullptr;
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

// Bytes being written: grows, then becomes a Slice without a copy.  One thread at a time.
class Buffer {
 public:
  Buffer() noexcept = default;
  explicit Buffer(std::size_t capacity) : block_(Block::make(capacity)) {}
  Buffer(Buffer&& other) noexcept
      : block_(std::exchange(other.block_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    std::swap(block_, other.block_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~Buffer() {
    if (block_ != nullptr) block_->release();
  }

  std::size_t size() const noexcept { return size_; }
  std::size_t capacity() const noexcept { return block_ != nullptr ? block_->capacity() : 0; }
  std::byte* data() noexcept { return block_ != nullptr ? block_->data() : nullptr; }
  ByteView view() const noexcept { return {block_ != nullptr ? block_->data() : nullptr, size_}; }

  // Room for `bytes` more behind the end; commit() makes what was written there part of the buffer.
  MutableByteView reserve(std::size_t bytes);
  void commit(std::size_t bytes) noexcept {
    SPANWIRE_ASSERT(bytes <= capacity() - size_);
    size_ += bytes;
  }
  void append(ByteView bytes);
  void append(std::string_view text) { append(bytes_of(text)); }
  void clear() noexcept { size_ = 0; }
  // Cuts off what is behind `size`.
  void truncate(std::size_t size) noexcept {
    SPANWIRE_ASSERT(size <= size_);
    size_ = size;
  }

  // Everything written, as a Slice; the buffer is empty afterwards.
  Slice take() noexcept;

 private:
  Block* block_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace spanwire
