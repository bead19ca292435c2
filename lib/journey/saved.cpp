#include "lib/journey/saved.hpp"

#include <cstring>
#include <new>
#include <string_view>

#include "spanwire/base/counters.hpp"
#include "spanwire/base/pool.hpp"

namespace spanwire::journey {
namespace {

constinit NamedCounter dropped("spanwire.journey.saved_dropped");

using trace::Attribute;
using trace::AttributeValue;
using trace::Key;
using trace::ValueType;

constexpr std::size_t kAlign = alignof(std::max_align_t);
constexpr std::size_t rounded(std::size_t bytes) noexcept {
  return (bytes + kAlign - 1) / kAlign * kAlign;
}

std::size_t element_bytes(ValueType type) noexcept {
  return type == ValueType::boolean_array ? sizeof(bool) : sizeof(std::int64_t);
}

std::size_t value_bytes(const AttributeValue& value) noexcept {
  switch (value.type()) {
    case ValueType::string:
      return value.size();
    case ValueType::boolean_array:
    case ValueType::int64_array:
    case ValueType::real_array:
      return value.size() * element_bytes(value.type());
    case ValueType::string_array: {
      std::size_t bytes = value.size() * sizeof(std::string_view);
      for (std::size_t i = 0; i < value.size(); ++i) bytes += value.text_at(i).size();
      return bytes;
    }
    default:
      return 0;
  }
}

std::size_t key_bytes(Key key) noexcept { return key.is_literal() ? 0 : key.size(); }

std::size_t block_bytes(Key name, std::span<const Attribute> attributes) noexcept {
  std::size_t bytes = sizeof(SavedPiece) + attributes.size() * sizeof(Attribute);
  bytes += rounded(key_bytes(name));
  for (const Attribute& attribute : attributes) {
    bytes += rounded(key_bytes(attribute.key)) + rounded(value_bytes(attribute.value));
  }
  return bytes;
}

// Copies into the room behind a piece.
class Copier {
 public:
  explicit Copier(char* at) noexcept : at_(at) {}

  Key key(Key key) noexcept {
    return key.is_literal() ? key
                            : Key(std::string_view(bytes(key.data(), key.size()), key.size()));
  }
  AttributeValue value(const AttributeValue& value) noexcept {
    const std::size_t size = value.size();
    switch (value.type()) {
      case ValueType::string:
        return std::string_view(bytes(value.elements(), size), size);
      case ValueType::boolean_array:
        return array<bool>(value);
      case ValueType::int64_array:
        return array<std::int64_t>(value);
      case ValueType::real_array:
        return array<double>(value);
      case ValueType::string_array:
        return texts(value);
      default:
        return value;
    }
  }

 private:
  char* bytes(const void* from, std::size_t size) noexcept {
    char* const to = at_;
    if (size != 0) std::memcpy(to, from, size);
    at_ += rounded(size);
    return to;
  }
  template <class T>
  AttributeValue array(const AttributeValue& value) noexcept {
    const char* to = bytes(value.elements(), value.size() * sizeof(T));
    return std::span<const T>(reinterpret_cast<const T*>(to), value.size());
  }
  AttributeValue texts(const AttributeValue& value) noexcept {
    auto* const views = reinterpret_cast<std::string_view*>(at_);
    char* to = at_ + value.size() * sizeof(std::string_view);
    for (std::size_t i = 0; i < value.size(); ++i) {
      const std::string_view text = value.text_at(i);
      std::memcpy(to, text.data(), text.size());
      new (views + i) std::string_view(to, text.size());
      to += text.size();
    }
    at_ += rounded(static_cast<std::size_t>(to - at_));
    return std::span<const std::string_view>(views, value.size());
  }

  char* at_;
};

static_assert(sizeof(SavedPiece) % alignof(Attribute) == 0);
static_assert((sizeof(SavedPiece) % kAlign) + (sizeof(Attribute) % kAlign) == 0);

SavedPiece* copy(Key name, std::int64_t at_ns, std::span<const Attribute> attributes,
                 std::size_t bytes) noexcept {
  void* block = nullptr;
  try {
    block = pool_allocate(bytes);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
  auto* piece = new (block) SavedPiece;
  auto* copies = reinterpret_cast<Attribute*>(piece + 1);
  Copier copier(reinterpret_cast<char*>(copies + attributes.size()));
  piece->bytes = bytes;
  piece->at_ns = at_ns;
  piece->name = copier.key(name);
  piece->count = static_cast<std::uint32_t>(attributes.size());
  for (const Attribute& attribute : attributes) {
    const Key key = copier.key(attribute.key);
    new (copies++) Attribute{key, copier.value(attribute.value)};
  }
  return piece;
}

}  // namespace

void Saved::add(Key name, std::int64_t at_ns, std::span<const Attribute> attributes) noexcept {
  const std::size_t bytes = block_bytes(name, attributes);
  const bool fits = pieces_ < kSavedPiecesMax && bytes <= kSavedBytesMax - bytes_;
  SavedPiece* piece = fits ? copy(name, at_ns, attributes, bytes) : nullptr;
  if (piece == nullptr) return dropped.add();
  append(*piece);
}

void Saved::append(SavedPiece& piece) noexcept {
  piece.next = nullptr;
  (last_ != nullptr ? last_->next : first_) = &piece;
  last_ = &piece;
  ++pieces_;
  bytes_ += piece.bytes;
}

Saved Saved::take(std::int64_t begin_ns, std::int64_t end_ns) noexcept {
  Saved taken;
  Saved kept;
  for (SavedPiece* piece = first_; piece != nullptr;) {
    SavedPiece& at = *std::exchange(piece, piece->next);
    (at.at_ns >= begin_ns && at.at_ns < end_ns ? taken : kept).append(at);
  }
  first_ = nullptr;
  *this = std::move(kept);
  return taken;
}

void Saved::clear() noexcept {
  for (SavedPiece* piece = first_; piece != nullptr;) {
    SavedPiece* const gone = std::exchange(piece, piece->next);
    pool_free(gone, gone->bytes);
  }
  first_ = last_ = nullptr;
  pieces_ = 0;
  bytes_ = 0;
}

}  // namespace spanwire::journey
