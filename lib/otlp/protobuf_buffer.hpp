// A Buffer as protozero writes into it, inlined: one comparison a piece.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <protozero/basic_pbf_writer.hpp>

#include "spanwire/base/slice.hpp"

namespace spanwire::otlp {

// Appends to `out`; what was written is part of it after finish().
class ProtobufBuffer {
 public:
  explicit ProtobufBuffer(Buffer& out) : out_(out) { grow(kRoomMin); }

  // Everything in the buffer, also what stood there before.
  std::size_t size() const noexcept { return static_cast<std::size_t>(at_ - begin_); }
  void append(const char* data, std::size_t count) {
    make_room(count);
    std::memcpy(at_, data, count);
    at_ += count;
  }
  void append_zeros(std::size_t count) {
    make_room(count);
    std::memset(at_, 0, count);
    at_ += count;
  }
  void push_back(char c) {
    make_room(1);
    *at_++ = c;
  }
  void resize(std::size_t size) noexcept { at_ = begin_ + size; }
  void make_room(std::size_t bytes) {
    if (static_cast<std::size_t>(end_ - at_) < bytes + kSpare) [[unlikely]]
      grow(bytes + kSpare);
  }
  // A piece of `bytes` at most that somebody else writes: from where, and to where it got.
  char* begin_piece(std::size_t bytes) {
    make_room(bytes);
    return at_;
  }
  void end_piece(char* end) noexcept { at_ = end; }
  // Moves what stands behind `begin` by `bytes`, of the spare ones.
  void move_back(std::size_t begin, std::size_t bytes) noexcept {
    std::memmove(begin_ + begin + bytes, begin_ + begin, size() - begin);
    at_ += bytes;
  }
  void erase_range(std::size_t from, std::size_t to) noexcept {
    std::memmove(begin_ + from, begin_ + to, size() - to);
    at_ -= to - from;
  }
  char* at_pos(std::size_t pos) noexcept { return begin_ + pos; }

  void finish() noexcept {
    if (size() < out_.size()) out_.truncate(size());
    out_.commit(size() - out_.size());
  }

 private:
  static constexpr std::size_t kRoomMin = 4096;
  // Behind every piece: lengths that turn out longer than thought, one in the other, find room.
  static constexpr std::size_t kSpare = 32;

  void grow(std::size_t bytes) {
    const std::size_t used = begin_ == nullptr ? out_.size() : size();
    if (begin_ != nullptr) finish();
    const MutableByteView free = out_.reserve(std::max(bytes, kRoomMin));
    begin_ = reinterpret_cast<char*>(out_.data());
    at_ = begin_ + used;
    end_ = reinterpret_cast<char*>(free.data()) + free.size();
  }

  Buffer& out_;
  char* begin_ = nullptr;
  char* at_ = nullptr;
  char* end_ = nullptr;
};

using ProtobufWriter = protozero::basic_pbf_writer<ProtobufBuffer>;

}  // namespace spanwire::otlp

// How protozero uses it.
template <>
struct protozero::buffer_customization<spanwire::otlp::ProtobufBuffer> {
  using Buffer = spanwire::otlp::ProtobufBuffer;
  static std::size_t size(const Buffer* buffer) noexcept { return buffer->size(); }
  static void append(Buffer* buffer, const char* data, std::size_t count) {
    buffer->append(data, count);
  }
  static void append_zeros(Buffer* buffer, std::size_t count) { buffer->append_zeros(count); }
  static void resize(Buffer* buffer, std::size_t size) noexcept { buffer->resize(size); }
  static void reserve_additional(Buffer* buffer, std::size_t size) { buffer->make_room(size); }
  static void erase_range(Buffer* buffer, std::size_t from, std::size_t to) noexcept {
    buffer->erase_range(from, to);
  }
  static char* at_pos(Buffer* buffer, std::size_t pos) noexcept { return buffer->at_pos(pos); }
  static void push_back(Buffer* buffer, char c) { buffer->push_back(c); }
};
