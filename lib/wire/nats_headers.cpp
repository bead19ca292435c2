#include "spanwire/wire/nats_headers.hpp"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include "lib/base/ascii.hpp"
#include "lib/wire/scan.hpp"
#include "spanwire/wire/headers.hpp"

namespace spanwire::wire {
namespace {

constexpr std::string_view kVersion = "NATS/1.0";
constexpr std::string_view kLineEnd = "\r\n";

bool is_name(std::string_view name) noexcept {
  const char* const end = name.data() + name.size();
  return !name.empty() && scan_name(name.data(), end) == end;
}

// Any text but a line's end and its like; UTF-8 is passed on as it is.
bool is_value(std::string_view value) noexcept {
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 && byte != '\t') || byte == 0x7f) return false;
  }
  return true;
}

// What a line ends with that begins before `at`, if not with the pair that it should: no line feed
// at all means that the block was cut.
Errc bad_end(const char* at, const char* end) noexcept {
  const bool cut =
      at == end || std::memchr(at, '\n', static_cast<std::size_t>(end - at)) == nullptr;
  return cut ? Errc::truncated : Errc::bad_header_line;
}

// Lines that continue, put behind those that they continue.
std::string unfold(std::string_view text) {
  std::string whole;
  whole.reserve(text.size());
  while (!text.empty()) {
    const std::size_t end = text.find(kLineEnd);
    whole.append(text.substr(0, end));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + kLineEnd.size());
    if (!text.empty() && is_blank(text.front())) {
      while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
      whole += ' ';
    } else {
      whole += kLineEnd;
    }
  }
  return whole;
}

bool continues(std::string_view text) noexcept {
  return text.find("\r\n ") != std::string_view::npos ||
         text.find("\r\n\t") != std::string_view::npos;
}

}  // namespace

Errc NatsHeaders::parse_first_line(std::string_view line) noexcept {
  if (line == kVersion) return Errc::ok;
  if (line.substr(0, kVersion.size()) != kVersion) return Errc::bad_version;
  std::string_view rest = line.substr(kVersion.size());
  if (!rest.empty() && !is_blank(rest.front())) return Errc::bad_version;
  rest = trimmed(rest);
  if (rest.empty()) return Errc::ok;
  unsigned status = 0;
  std::size_t digits = 0;
  while (digits < rest.size() && rest[digits] >= '0' && rest[digits] <= '9' && digits < 4) {
    status = status * 10 + static_cast<unsigned>(rest[digits++] - '0');
  }
  const bool ends = digits == rest.size() || is_blank(rest[digits]);
  if (digits != 3 || !ends || status < 100) return Errc::bad_status;
  status_ = static_cast<std::uint16_t>(status);
  description_ = trimmed(rest.substr(digits));
  return Errc::ok;
}

Errc NatsHeaders::parse_line(const char* at, const char* end) noexcept {
  const char* const colon = scan_name(at, end);
  if (colon == at || colon == end || *colon != ':') return Errc::bad_header_line;
  if (size_ == kHeaderMembersMax) return Errc::headers_too_many;
  const std::string_view name(at, static_cast<std::size_t>(colon - at));
  const std::string_view value(colon + 1, static_cast<std::size_t>(end - colon - 1));
  new (lines() + size_++) NatsHeader{name, trimmed(value)};
  return Errc::ok;
}

// One scan.
Errc NatsHeaders::parse_lines(std::string_view text) noexcept {
  size_ = 0;
  status_ = 0;
  description_ = {};
  const char* at = text.data();
  const char* const end = at + text.size();
  for (bool first = true;; first = false) {
    const char* const stop = scan_line(at, end);
    if (end - stop < 2 || stop[0] != '\r' || stop[1] != '\n') return bad_end(stop, end);
    const char* const line = std::exchange(at, stop + 2);
    if (stop == line && !first) return at == end ? Errc::ok : Errc::trailing_bytes;
    const Errc cause = first ? parse_first_line({line, static_cast<std::size_t>(stop - line)})
                             : parse_line(line, stop);
    if (cause != Errc::ok) return cause;
  }
}

Errc NatsHeaders::parse(ByteView block, std::size_t block_bytes_max) {
  size_ = 0;
  status_ = 0;
  description_ = {};
  if (block.empty()) return Errc::ok;
  if (block.size() > block_bytes_max) return Errc::headers_too_long;
  // A line that continues another one begins with a blank and is never good by itself.
  const Errc cause = parse_lines(text_of(block));
  if (cause == Errc::ok || !continues(text_of(block))) return cause;
  unfolded_ = unfold(text_of(block));
  return parse_lines(unfolded_);
}

std::size_t NatsHeaders::find(std::string_view name, std::string_view& value) const noexcept {
  std::size_t count = 0;
  for (const NatsHeader& line : *this) {
    if (!same_name(line.name, name)) continue;
    value = line.value;
    ++count;
  }
  return count;
}

// ---- Writing

NatsHeaderWriter::NatsHeaderWriter(MutableByteView out) noexcept
    : begin_(reinterpret_cast<char*>(out.data())), room_(out.size()) {
  if (room_ < kVersion.size() + 2 * kLineEnd.size()) return;
  put(kVersion);
  put(kLineEnd);
}

void NatsHeaderWriter::put(std::string_view text) noexcept {
  if (!text.empty()) std::memcpy(begin_ + used_, text.data(), text.size());
  used_ += text.size();
}

Errc NatsHeaderWriter::add(std::string_view name, std::string_view value) noexcept {
  constexpr std::string_view kBetween = ": ";
  if (!is_name(name)) return Errc::bad_header_line;
  if (!is_value(value)) return Errc::control_character;
  if (lines_ == kHeaderMembersMax) return Errc::headers_too_many;
  const std::size_t fixed = kBetween.size() + 2 * kLineEnd.size();
  const std::size_t left = room_ - used_;
  if (used_ == 0 || left < fixed || name.size() > left - fixed ||
      value.size() > left - fixed - name.size()) {
    return Errc::headers_too_long;
  }
  put(name);
  put(kBetween);
  put(value);
  put(kLineEnd);
  ++lines_;
  return Errc::ok;
}

ByteView NatsHeaderWriter::finish() noexcept {
  if (used_ != 0) put(kLineEnd);
  return {reinterpret_cast<const std::byte*>(begin_), used_};
}

}  // namespace spanwire::wire
