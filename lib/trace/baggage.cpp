#include "spanwire/trace/baggage.hpp"

#include "lib/trace/text.hpp"
#include "spanwire/base/utf8.hpp"
#include "spanwire/wire/utf8.hpp"

namespace spanwire::trace {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

// 0 to 15, or 16; both cases, as percent-encoding has them.
constexpr unsigned nibble(char c) noexcept {
  if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? static_cast<unsigned>(lower - 'a' + 10) : 16;
}

std::string with_replacements(std::string_view bytes) {
  std::string text;
  const char* at = bytes.data();
  const char* const end = at + bytes.size();
  while (at != end) {
    const std::size_t size = (*at & 0x80) == 0 ? 1 : utf8_sequence_bytes(at, end);
    text += size == 0 ? kReplacement : std::string_view(at, size);
    at += size == 0 ? 1 : size;
  }
  return text;
}

BaggageMember split_member(std::string_view member) noexcept {
  const std::size_t equals = member.find('=');
  BaggageMember parts;
  parts.key = trimmed(member.substr(0, equals));
  if (equals == std::string_view::npos) return parts;
  const std::string_view rest = member.substr(equals + 1);
  const std::size_t semicolon = rest.find(';');
  parts.encoded_value = trimmed(rest.substr(0, semicolon));
  if (semicolon != std::string_view::npos) parts.metadata = trimmed(rest.substr(semicolon + 1));
  return parts;
}

bool printable(std::string_view text) noexcept {
  for (const char c : text) {
    if ((class_of(c) & kPrintable) == 0 && c != '\t') return false;
  }
  return true;
}

bool is_token(std::string_view key) noexcept { return !key.empty() && all_of_class(key, kToken); }

bool good_member(std::string_view member) noexcept {
  const std::size_t equals = member.find('=');
  if (equals == std::string_view::npos || !is_token(trimmed(member.substr(0, equals))))
    return false;
  return printable(member.substr(equals + 1));
}

void append_member(std::string& list, std::string_view member) {
  if (!list.empty()) list += ',';
  list += member;
}

std::string joined(std::string_view key, std::string_view value, std::string_view metadata) {
  std::string member(key);
  member += '=';
  member += percent_encode(value);
  if (!metadata.empty()) (member += ';') += metadata;
  return member;
}

Errc worse(Errc first, Errc now) noexcept { return first == Errc::ok ? now : first; }

}  // namespace

BaggageCheck check_baggage(std::string_view text, std::string& rebuilt) {
  BaggageCheck check;
  const char* first = nullptr;
  bool gap = false;  // a member was dropped, so the next one would not follow in the input
  bool copied = false;
  while (!text.empty()) {
    const std::string_view member = next_in_list(text);
    if (member.empty()) break;
    if (!good_member(member)) {
      check.cause = worse(check.cause, Errc::baggage_malformed);
      gap = check.members != 0;
      continue;
    }
    if (check.members == kBaggageMembersMax) {
      check.cause = worse(check.cause, Errc::baggage_too_many_members);
      break;
    }
    if (check.members == 0) first = member.data();
    if (gap && !copied) {
      rebuilt.assign(check.text);
      copied = true;
    }
    const std::size_t bytes = copied
                                  ? rebuilt.size() + 1 + member.size()
                                  : static_cast<std::size_t>(member.data() + member.size() - first);
    if (bytes > kBaggageBytesMax) {
      check.cause = worse(check.cause, Errc::baggage_too_long);
      break;
    }
    if (copied) append_member(rebuilt, member);
    check.text = copied ? std::string_view(rebuilt) : std::string_view(first, bytes);
    ++check.members;
  }
  // A tab between the parts of a member is legal here and has to be escaped there.
  check.needs_escape = check.text.find_first_of("\"\\\t") != std::string_view::npos;
  return check;
}

std::string BaggageMember::value() const { return percent_decode(encoded_value); }

std::optional<BaggageMember> next_baggage_member(std::string_view& rest) noexcept {
  const std::string_view member = next_in_list(rest);
  if (member.empty()) return std::nullopt;
  return split_member(member);
}

std::optional<BaggageMember> baggage_find(std::string_view text, std::string_view key) noexcept {
  std::optional<BaggageMember> found;
  while (const std::optional<BaggageMember> member = next_baggage_member(text)) {
    if (member->key == key) found = member;
  }
  return found;
}

std::optional<std::string> baggage_get(std::string_view text, std::string_view key) {
  const std::optional<BaggageMember> member = baggage_find(text, key);
  if (!member) return std::nullopt;
  return member->value();
}

Result<std::string> baggage_set(std::string_view text, std::string_view key, std::string_view value,
                                std::string_view metadata) {
  if (!is_token(key)) return fail(Errc::baggage_malformed, "key");
  if (!printable(metadata) || metadata.find(',') != std::string_view::npos) {
    return fail(Errc::baggage_malformed, "metadata");
  }
  const std::string ours = joined(key, value, metadata);
  std::string list;
  std::size_t members = 0;
  bool placed = false;
  while (!text.empty()) {
    std::string_view member = next_in_list(text);
    if (member.empty()) break;
    if (split_member(member).key == key) {
      if (placed) continue;
      member = ours;
      placed = true;
    }
    append_member(list, member);
    ++members;
  }
  if (!placed) {
    append_member(list, ours);
    ++members;
  }
  if (members > kBaggageMembersMax) return fail(Errc::baggage_too_many_members);
  if (list.size() > kBaggageBytesMax) return fail(Errc::baggage_too_long);
  return list;
}

std::string baggage_erase(std::string_view text, std::string_view key) {
  std::string list;
  while (!text.empty()) {
    const std::string_view member = next_in_list(text);
    if (!member.empty() && split_member(member).key != key) append_member(list, member);
  }
  return list;
}

std::string percent_encode(std::string_view value) {
  std::string text;
  text.reserve(value.size());
  for (const char c : value) {
    if (c != '%' && (class_of(c) & kBaggageOctet) != 0) {
      text += c;
      continue;
    }
    constexpr std::string_view kDigits = "0123456789ABCDEF";
    const auto byte = static_cast<unsigned char>(c);
    text += '%';
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

std::string percent_decode(std::string_view text) {
  std::string bytes;
  bytes.reserve(text.size());
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '%' || text.size() - at < 3 ||
        (nibble(text[at + 1]) | nibble(text[at + 2])) > 15) {
      bytes += text[at];
      continue;
    }
    bytes += static_cast<char>(nibble(text[at + 1]) << 4 | nibble(text[at + 2]));
    at += 2;
  }
  return wire::valid_utf8(bytes) ? bytes : with_replacements(bytes);
}

}  // namespace spanwire::trace
