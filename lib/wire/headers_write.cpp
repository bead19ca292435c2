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

}  // namespace

HeaderWriter::HeaderWriter(Buffer& out, std::size_t block_bytes_max) noexcept
    : buffer_(&out), bytes_max_(std::min(block_bytes_max, kHeaderBlockBytesMax)) {}

HeaderWriter::HeaderWriter(MutableByteView out) noexcept
    : begin_(reinterpret_cast<char*>(out.data())),
      at_(begin_),
      bytes_max_(std::min(out.size(), kHeaderBlockBytesMax)) {
  end_ = begin_ + bytes_max_ - kClosingBytes;
}

char* HeaderWriter::more_room(std::size_t bytes) {
  if (buffer_ == nullptr) return nullptr;
  const auto written = static_cast<std::size_t>(at_ - begin_);
  const std::size_t left = bytes_max_ - std::min(bytes_max_, committed_ + written + kClosingBytes);
  if (bytes > left) return nullptr;
  buffer_->commit(written);
  committed_ += written;
  const MutableByteView room = buffer_->reserve(bytes + kClosingBytes);
  begin_ = at_ = reinterpret_cast<char*>(room.data());
  end_ = begin_ + std::min(room.size() - kClosingBytes, left);
  return at_;
}

Errc HeaderWriter::cannot_begin() const noexcept {
  return members_ == kHeaderMembersMax ? Errc::headers_too_many : Errc::headers_too_long;
}

Errc HeaderWriter::add(WellKnown name, std::string_view value) {
  char* const out = begin_known(name, value.size());
  if (out == nullptr) return cannot_begin();
  if (!copy_clean(out, value.data(), value.size())) return add_escaped(name_of(name), value);
  return end_member(out + value.size());
}

Errc HeaderWriter::add(std::string_view name, std::string_view value) {
  if (members_ == kHeaderMembersMax) return Errc::headers_too_many;
  if (name.size() > bytes_max_ || value.size() > bytes_max_) return Errc::headers_too_long;
  char* out = room(name.size() + value.size() + kFrameOfMember);
  if (out == nullptr) return Errc::headers_too_long;
  std::memcpy(out, ",\"", 2);
  char* const name_end = out + 2 + name.size();
  // Text that is not clean after all is written once more, escaped, over this.
  if (!copy_clean_lower(out + 2, name.data(), name.size()) ||
      !copy_clean(name_end + 3, value.data(), value.size())) {
    return add_escaped(name, value);
  }
  std::memcpy(name_end, "\":\"", 3);
  return end_member(name_end + 3 + value.size());
}

Errc HeaderWriter::add_escaped(std::string_view name, std::string_view value) {
  if (!valid_utf8(name) || !valid_utf8(value)) return Errc::bad_utf8;
  char* out = room(header_bytes(name, value));
  if (out == nullptr) return Errc::headers_too_long;
  std::memcpy(out, ",\"", 2);
  out += 2;
  for (const char c : name) {
    const char small = lower(c);
    out = store_escaped(out, {&small, 1});
  }
  std::memcpy(out, "\":\"", 3);
  return end_member(store_escaped(out + 3, value));
}

ByteView HeaderWriter::finish() {
  if (members_ == 0) {
    // Two bytes for an empty block are the caller's to give.
    char* const out = room(1);
    SPANWIRE_ASSERT(out != nullptr);
    *at_++ = '{';
  }
  *at_++ = '}';
  const auto written = static_cast<std::size_t>(at_ - begin_);
  if (buffer_ == nullptr) return {reinterpret_cast<const std::byte*>(begin_), written};
  buffer_->commit(written);
  return buffer_->view().last(committed_ + written);
}

std::size_t header_bytes(std::string_view name, std::string_view value) noexcept {
  return escaped_bytes(name) + escaped_bytes(value) + kFrameOfMember;
}

}  // namespace spanwire::wire
