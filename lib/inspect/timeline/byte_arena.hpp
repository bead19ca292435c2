// ByteArena: copies of bytes that stay where they are.  Its memory is used again after clear():
// grown as a string it would be copied, and cleared by the system, again and again.  Internal to
// inspect.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

namespace spanwire::inspect {

class ByteArena {
 public:
  // Valid until clear().
  const char* store(std::string_view bytes) {
    if (static_cast<std::size_t>(end_ - to_) < bytes.size()) next_piece(bytes.size());
    if (!bytes.empty()) std::memcpy(to_, bytes.data(), bytes.size());
    stored_bytes_ += bytes.size();
    char* const copy = to_;
    to_ += bytes.size();
    return copy;
  }
  void clear() noexcept {
    to_ = end_ = nullptr;
    used_pieces_ = stored_bytes_ = 0;
  }
  std::size_t stored_bytes() const noexcept { return stored_bytes_; }

 private:
  static constexpr std::size_t kPieceBytes = std::size_t{256} << 10;

  struct Piece {
    std::unique_ptr<char[]> memory;
    std::size_t bytes = 0;
  };

  void next_piece(std::size_t wanted) {
    if (used_pieces_ == pieces_.size()) pieces_.emplace_back();
    Piece& piece = pieces_[used_pieces_++];
    if (piece.bytes < wanted) {
      piece.bytes = std::max(wanted, kPieceBytes);
      piece.memory = std::make_unique_for_overwrite<char[]>(piece.bytes);
    }
    to_ = piece.memory.get();
    end_ = to_ + piece.bytes;
  }

  std::vector<Piece> pieces_;
  std::size_t used_pieces_ = 0;
  char* to_ = nullptr;
  char* end_ = nullptr;
  std::size_t stored_bytes_ = 0;
};

}  // namespace spanwire::inspect
