#include "spanwire/trace/tracestate.hpp"

#include <bit>
#include <vector>

#include "lib/trace/text.hpp"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace spanwire::trace {
namespace {

struct ValueEnd {
  const char* end = nullptr;  // behind the last character that is not a blank; null for a bad value
  const char* next = nullptr;  // the comma, or the end of the text
  unsigned classes = 0;
  unsigned behind = 0;  // of the blanks between its end and `next`
};

// Moves over characters of a value, 16 at a time where the machine can and as many are left, and
// notes their classes.
const char* skip_value(const char* at, const char* last, unsigned& classes) noexcept {
#if defined(__SSE2__)
  while (last - at >= 16) {
    const __m128i text = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    const auto equal = [text](char c) { return _mm_cmpeq_epi8(text, _mm_set1_epi8(c)); };
    // As signed numbers, those beyond ASCII are below the blank too.
    const __m128i unprintable = _mm_or_si128(_mm_cmplt_epi8(text, _mm_set1_epi8(' ')), equal(0x7f));
    const __m128i ends = _mm_or_si128(unprintable, _mm_or_si128(equal(','), equal('=')));
    const auto end_mask = static_cast<unsigned>(_mm_movemask_epi8(ends)) | 0x1'0000u;
    const auto escaped =
        static_cast<unsigned>(_mm_movemask_epi8(_mm_or_si128(equal('"'), equal('\\'))));
    const int length = std::countr_zero(end_mask);
    if ((escaped & ((1u << length) - 1)) != 0) classes |= kEscaped;
    at += length;
    if (length < 16) return at;
  }
#endif
  for (; at != last; ++at) {
    const unsigned character = class_of(*at);
    if ((character & kStateValue) == 0) break;
    classes |= character;
  }
  return at;
}

// A value begins at `at` and ends at a comma or at `last`.  Leading blanks belong to it, trailing
// blanks and tabs do not.
ValueEnd scan_value(const char* at, const char* last) noexcept {
  ValueEnd value;
  const char* const first = at;
  unsigned classes = 0;
  at = skip_value(at, last, classes);
  const char* end = at;
  if (at != last && *at != ',') {
    while (at != last && is_blank(*at)) ++at;
    if (at != last && *at != ',') return value;
    value.behind = kEscaped;  // only a tab leads here
  }
  while (end != first && end[-1] == ' ') --end;
  if (end == first || end - first > static_cast<std::ptrdiff_t>(kTracestateValueBytesMax)) {
    return value;
  }
  return {end, at, classes, value.behind};
}

TracestateCheck refused(Errc cause) noexcept {
  TracestateCheck check;
  check.cause = cause;
  return check;
}

bool legal_key(std::string_view key) noexcept {
  return !key.empty() && key.size() <= kTracestateKeyBytesMax &&
         (class_of(key.front()) & kKeyFirst) != 0 && all_of_class(key, kKeyRest);
}

bool legal_value(std::string_view value) noexcept {
  return !value.empty() && value.size() <= kTracestateValueBytesMax && value.back() != ' ' &&
         all_of_class(value, kStateValue);
}

void append_member(std::string& list, std::string_view member) {
  if (!list.empty()) list += ',';
  list += member;
}

bool has_key(std::string_view member, std::string_view key) noexcept {
  return member.size() > key.size() && member.starts_with(key) && member[key.size()] == '=';
}

}  // namespace

TracestateCheck check_tracestate(std::string_view text) noexcept {
  const char* at = text.data();
  const char* const last = at + text.size();
  const char* first_member = nullptr;
  const char* last_member = nullptr;
  std::uint32_t members = 0;
  unsigned classes = 0;
  unsigned between = 0;  // of the blanks since the last member: they count if another follows
  for (;;) {
    for (; at != last && (*at == ',' || is_blank(*at)); ++at) {
      if (*at == '\t') between |= kEscaped;
    }
    if (at == last) break;
    if (members == kTracestateMembersMax) return refused(Errc::tracestate_too_many_members);
    if (++members == 1) {
      first_member = at;
    } else {
      classes |= between;
    }
    const char* const key = at;
    if ((class_of(*at) & kKeyFirst) == 0) return refused(Errc::tracestate_malformed);
    while (++at != last && (class_of(*at) & kKeyRest) != 0) {
    }
    if (at == last || *at != '=' ||
        at - key > static_cast<std::ptrdiff_t>(kTracestateKeyBytesMax)) {
      return refused(Errc::tracestate_malformed);
    }
    const ValueEnd value = scan_value(at + 1, last);
    if (value.end == nullptr) return refused(Errc::tracestate_malformed);
    classes |= value.classes;
    between = value.behind;
    last_member = value.end;
    at = value.next;
  }
  TracestateCheck check;
  if (members == 0) return check;
  check.text = {first_member, static_cast<std::size_t>(last_member - first_member)};
  if (check.text.size() > kTracestateBytesMax) return refused(Errc::tracestate_too_long);
  check.members = members;
  check.needs_escape = (classes & kEscaped) != 0;
  return check;
}

std::optional<TracestateMember> next_tracestate_member(std::string_view& rest) noexcept {
  const std::string_view member = next_in_list(rest);
  const std::size_t equals = member.find('=');
  if (equals == std::string_view::npos) return std::nullopt;
  return TracestateMember{member.substr(0, equals), member.substr(equals + 1)};
}

std::optional<std::string_view> tracestate_get(std::string_view text,
                                               std::string_view key) noexcept {
  while (const std::optional<TracestateMember> member = next_tracestate_member(text)) {
    if (member->key == key) return member->value;
  }
  return std::nullopt;
}

Result<std::string> tracestate_set(std::string_view text, std::string_view key,
                                   std::string_view value) {
  if (!legal_key(key)) return fail(Errc::tracestate_malformed, "key");
  if (!legal_value(value)) return fail(Errc::tracestate_malformed, "value");
  std::string list;
  list.reserve(text.size() + key.size() + value.size() + 2);
  list.append(key) += '=';
  list += value;
  std::size_t members = 1;
  while (members < kTracestateMembersMax) {
    const std::string_view member = next_in_list(text);
    if (member.empty()) break;
    if (has_key(member, key)) continue;
    append_member(list, member);
    ++members;
  }
  return list;
}

std::string tracestate_erase(std::string_view text, std::string_view key) {
  std::string list;
  while (!text.empty()) {
    const std::string_view member = next_in_list(text);
    if (!member.empty() && !has_key(member, key)) append_member(list, member);
  }
  return list;
}

std::string tracestate_fit(std::string_view text, std::size_t bytes_max) {
  std::vector<std::string_view> members;
  std::size_t bytes = 0;
  while (!text.empty()) {
    const std::string_view member = next_in_list(text);
    if (member.empty()) continue;
    members.push_back(member);
    bytes += member.size() + 1;
  }
  const auto drop_from_right = [&](std::size_t above) {
    for (std::size_t i = members.size(); i-- > 0 && bytes > bytes_max + 1;) {
      if (members[i].size() <= above) continue;
      bytes -= members[i].size() + 1;
      members.erase(members.begin() + static_cast<std::ptrdiff_t>(i));
    }
  };
  drop_from_right(kTracestateLargeMemberBytes);
  drop_from_right(0);
  std::string list;
  for (const std::string_view member : members) append_member(list, member);
  return list;
}

}  // namespace spanwire::trace
