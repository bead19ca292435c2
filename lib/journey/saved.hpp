// Saved: copies of what callers lend, attributes and events, until the span that they belong to is
// over.  Blocks from the pool, in the order in which they came; bounded.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "spanwire/journey/settings.hpp"
#include "spanwire/trace/attribute.hpp"

namespace spanwire::journey {

inline constexpr std::size_t kSavedPiecesMax = 128;
inline constexpr std::size_t kSavedBytesMax = 64u << 10;

// One call's worth: an event, or attributes alone.  Its texts lie behind it.
struct SavedPiece {
  SavedPiece* next = nullptr;
  std::size_t bytes = 0;  // of the block
  std::int64_t at_ns = 0;
  trace::Key name;
  std::uint32_t count = 0;

  std::span<const trace::Attribute> attributes() const noexcept {
    return {reinterpret_cast<const trace::Attribute*>(this + 1), count};
  }
};

class Saved {
 public:
  Saved() noexcept = default;
  Saved(Saved&& other) noexcept
      : first_(std::exchange(other.first_, nullptr)),
        last_(std::exchange(other.last_, nullptr)),
        pieces_(std::exchange(other.pieces_, 0)),
        bytes_(std::exchange(other.bytes_, 0)) {}
  Saved& operator=(Saved&& other) noexcept {
    if (this == &other) return *this;
    clear();
    first_ = std::exchange(other.first_, nullptr);
    last_ = std::exchange(other.last_, nullptr);
    pieces_ = std::exchange(other.pieces_, 0);
    bytes_ = std::exchange(other.bytes_, 0);
    return *this;
  }
  ~Saved() { clear(); }

  bool empty() const noexcept { return first_ == nullptr; }
  std::size_t size() const noexcept { return pieces_; }
  const SavedPiece* first() const noexcept { return first_; }

  // What is beyond the limits, or finds no memory, is left out and counted in
  // "spanwire.journey.saved_dropped".
  void add(trace::Key name, std::int64_t at_ns,
           std::span<const trace::Attribute> attributes) noexcept;
  void add(std::span<const trace::Attribute> attributes) noexcept {
    if (!attributes.empty()) add({}, 0, attributes);
  }
  // Takes out the pieces with a time in [begin, end).
  Saved take(std::int64_t begin_ns, std::int64_t end_ns) noexcept;
  void clear() noexcept;

 private:
  void append(SavedPiece& piece) noexcept;

  SavedPiece* first_ = nullptr;
  SavedPiece* last_ = nullptr;
  std::uint32_t pieces_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace spanwire::journey
