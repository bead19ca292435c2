#include <algorithm>
#include <cstring>

#include "lib/wire/scan.hpp"
#include "spanwire/wire/headers.hpp"
#include "spanwire/wire/utf8.hpp"

namespace spanwire::wire {
namespace {

constexpr std::size_t kFrameOfMember = 6;  // comma or brace, four quotes, colon
constexpr std::size_t kClosingBytes = 1;

// How the byte is written behind a backslash; 0: as `\u00xx`; unused for others.
char short_escape(char c) noexcept {
  switch (c) {
    case '"':
    case '\\':
      return c;
    case '\b':
      return 'b';
    case '\f':
      return 'f';
    case '\n':
      return 'n';
    case '\r':
      return 'r';
    case '\t':
      return 't';
    default:
      return 0;
  }
}

bool is_escaped(char c) noexcept {
  return static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\';
}

std::size_t escaped_bytes(std::string_view text) noexcept {
  std::size_t bytes = text.size();
  for (const char c : text) {
    if (is_escaped(c)) bytes += short_escape(c) != 0 ? 1 : 5;
  }
  return bytes;
}

char* store_escaped(char* out, std::string_view text) noexcept {
  constexpr std::string_view kHex = "0123456789abcdef";
  for (const char c : text) {
    if (!is_escaped(c)) {
      *out++ = c;
      continue;
    }
    *out++ = '\\';
    if (const char letter = short_escape(c); letter != 0) {
      *out++ = letter;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    for (const char digit : {'u', '0', '0', kHex[byte >> 4], kHex[byte & 0xF]}) *out++ = digit;
  }
  return out;
}

char* store_text(char* out, std::string_view text) noexcept {
  if (!text.empty()) std::memcpy(out, text.data(), text.size());
  return out + text.size();
}

// Between the name's text and the value's.
char* store_colon(char* out) noexcept {
  std::memcpy(out, "\":\"", 3);
  return out + 3;
}

}  // namespace

HeaderWriter::HeaderWriter(Buffer& out, std::size_t block_bytes_max) noexcept
    : buffer_(&out), bytes_max_(std::min(block_bytes_max, kHeaderBlockBytesMax)) {}

HeaderWriter::HeaderWriter(MutableByteView out) noexcept
    : fixed_(reinterpret_cast<char*>(out.data())),
      bytes_max_(std::min(out.size(), kHeaderBlockBytesMax)) {}

// Room for `bytes` at the end of the block, or null if the block would outgrow its limit.
char* HeaderWriter::reserve(std::size_t bytes) {
  if (used_ > bytes_max_ || bytes > bytes_max_ - used_) return nullptr;
  if (fixed_ != nullptr) return fixed_ + used_;
  if (buffer_->capacity() - buffer_->size() < bytes) buffer_->reserve(bytes);
  return reinterpret_cast<char*>(buffer_->data() + buffer_->size());
}

void HeaderWriter::commit(std::size_t bytes) noexcept {
  if (buffer_ != nullptr) buffer_->commit(bytes);
  used_ += bytes;
}

// Writes what stands before the name's text; there is room for `bytes` and the closing brace.
char* HeaderWriter::begin_member(std::size_t bytes) {
  char* out = reserve(bytes + kClosingBytes);
  if (out == nullptr) return nullptr;
  *out++ = members_ == 0 ? '{' : ',';
  *out++ = '"';
  return out;
}

Errc HeaderWriter::end_member(char* out, std::size_t bytes) noexcept {
  *out = '"';
  commit(bytes);
  ++members_;
  return Errc::ok;
}

Errc HeaderWriter::add(std::string_view name, std::string_view value) {
  if (members_ == kHeaderMembersMax) return Errc::headers_too_many;
  // Compared before the sum, which a hostile size could overflow.
  if (name.size() > bytes_max_ || value.size() > bytes_max_) return Errc::headers_too_long;
  const std::size_t bytes = name.size() + value.size() + kFrameOfMember;
  char* const out = begin_member(bytes);
  if (out == nullptr) return Errc::headers_too_long;
  char* const value_out = out + name.size() + 3;
  // Text that is not clean after all is written once more, escaped, over this.
  if (!copy_clean_lower(out, name.data(), name.size()) ||
      !copy_clean(value_out, value.data(), value.size())) {
    return add_escaped(name, value);
  }
  store_colon(out + name.size());
  return end_member(value_out + value.size(), bytes);
}

Errc HeaderWriter::add(WellKnown name, std::string_view value) {
  const std::string_view text = name_of(name);
  if (members_ == kHeaderMembersMax) return Errc::headers_too_many;
  if (value.size() > bytes_max_) return Errc::headers_too_long;
  const std::size_t bytes = text.size() + value.size() + kFrameOfMember;
  char* const out = begin_member(bytes);
  if (out == nullptr) return Errc::headers_too_long;
  char* const value_out = store_colon(store_text(out, text));
  if (!copy_clean(value_out, value.data(), value.size())) return add_escaped(text, value);
  return end_member(value_out + value.size(), bytes);
}

char* HeaderWriter::add_in_place(WellKnown name, std::size_t value_bytes) {
  const std::string_view text = name_of(name);
  if (members_ == kHeaderMembersMax || value_bytes > bytes_max_) return nullptr;
  const std::size_t bytes = text.size() + value_bytes + kFrameOfMember;
  char* const out = begin_member(bytes);
  if (out == nullptr) return nullptr;
  char* const value = store_colon(store_text(out, text));
  end_member(value + value_bytes, bytes);
  return value;
}

Errc HeaderWriter::add_escaped(std::string_view name, std::string_view value) {
  if (!valid_utf8(name) || !valid_utf8(value)) return Errc::bad_utf8;
  const std::size_t bytes = header_bytes(name, value);
  char* out = begin_member(bytes);
  if (out == nullptr) return Errc::headers_too_long;
  for (const char c : name) {
    const char small = lower(c);
    out = store_escaped(out, {&small, 1});
  }
  return end_member(store_escaped(store_colon(out), value), bytes);
}

ByteView HeaderWriter::finish() {
  const std::string_view closing = members_ == 0 ? "{}" : "}";
  char* const out = reserve(closing.size());
  // Two bytes for an empty block are the caller's to give.
  SPANWIRE_ASSERT(out != nullptr);
  store_text(out, closing);
  commit(closing.size());
  if (fixed_ != nullptr) return {reinterpret_cast<const std::byte*>(fixed_), used_};
  return buffer_->view().last(used_);
}

std::size_t header_bytes(std::string_view name, std::string_view value) noexcept {
  return escaped_bytes(name) + escaped_bytes(value) + kFrameOfMember;
}

}  // namespace spanwire::wire
