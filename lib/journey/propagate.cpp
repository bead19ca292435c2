#include "spanwire/journey/propagate.hpp"

#include <cstring>
#include <memory>
#include <string>

#include "spanwire/journey/misuse.hpp"

namespace spanwire::journey {
namespace {

using trace::SpanContext;
using trace::SpanId;
using trace::TraceId;

// The first byte: the version above, flags below.
constexpr unsigned kVersion = 1;
constexpr unsigned kVersionShift = 5;
enum Flag : unsigned {
  kRequestSampled = 1,
  kRequestRandom = 2,
  kHasPrevious = 4,
  kPreviousElsewhere = 8,  // in another trace
  kPreviousSampled = 16,
};
constexpr std::size_t kAlone = 1 + TraceId::kBytes + SpanId::kBytes;
constexpr std::size_t kWithPrevious = kAlone + SpanId::kBytes;
static_assert(kWithPrevious + TraceId::kBytes == kPropagateBytesMax);

template <std::size_t Size>
std::byte* put(std::byte* to, const trace::Id<Size>& id) noexcept {
  std::memcpy(to, id.bytes().data(), Size);
  return to + Size;
}

template <std::size_t Size>
trace::Id<Size> get(const std::byte* from) noexcept {
  std::array<std::uint8_t, Size> bytes;
  std::memcpy(bytes.data(), from, Size);
  return trace::Id<Size>(bytes);
}

std::size_t size_of(unsigned head) noexcept {
  if ((head & kHasPrevious) == 0) return kAlone;
  return (head & kPreviousElsewhere) == 0 ? kWithPrevious : kPropagateBytesMax;
}

// Everything but the ids.
Errc check(ByteView bytes) noexcept {
  if (bytes.empty()) return Errc::not_traced;
  const auto head = static_cast<unsigned>(bytes[0]);
  if (head >> kVersionShift != kVersion) return Errc::bad_version;
  if ((head & kHasPrevious) == 0 && (head & (kPreviousElsewhere | kPreviousSampled)) != 0) {
    return Errc::unknown_flags;
  }
  if (bytes.size() < size_of(head)) return Errc::truncated;
  return bytes.size() > size_of(head) ? Errc::trailing_bytes : Errc::ok;
}

Errc parse(ByteView bytes, PropagateContext& context) noexcept {
  if (const Errc cause = check(bytes); cause != Errc::ok) return cause;
  const auto head = static_cast<unsigned>(bytes[0]);
  const std::byte* at = bytes.data() + 1;
  const auto trace_id = get<TraceId::kBytes>(at);
  const auto span_id = get<SpanId::kBytes>(at + TraceId::kBytes);
  const bool elsewhere = (head & kPreviousElsewhere) != 0;
  SpanId previous;
  TraceId previous_trace = trace_id;
  if ((head & kHasPrevious) != 0) previous = get<SpanId::kBytes>(at + kAlone - 1);
  if (elsewhere) previous_trace = get<TraceId::kBytes>(at + kWithPrevious - 1);
  if (trace_id.is_zero() || previous_trace.is_zero()) return Errc::trace_id_zero;
  if (span_id.is_zero()) return Errc::span_id_zero;
  if ((head & kHasPrevious) != 0 && previous.is_zero()) return Errc::span_id_zero;

  const unsigned random = (head & kRequestRandom) != 0 ? trace::kFlagRandom : 0u;
  const unsigned sampled = (head & kRequestSampled) != 0 ? trace::kFlagSampled : 0u;
  const unsigned previous_sampled = (head & kPreviousSampled) != 0 ? trace::kFlagSampled : 0u;
  // Made in place: an assignment would copy twice.
  std::destroy_at(&context.request);
  std::construct_at(
      &context.request,
      SpanContext(trace_id, span_id, static_cast<std::uint8_t>(random | sampled), true));
  const unsigned flags = previous_sampled | (elsewhere ? 0u : random);
  context.previous = previous.is_zero() ? SpanContext()
                                        : SpanContext(previous_trace, previous,
                                                      static_cast<std::uint8_t>(flags), true);
  return Errc::ok;
}

// ---- Base 85: groups of four bytes as five digits; the last group is filled up, and cut again.

constexpr std::string_view kDigits =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~";
static_assert(kDigits.size() == 85);
constexpr unsigned kNoDigit = 0xFF;
constexpr std::size_t kGroupsMax = (kPropagateBytesMax + 3) / 4;

constexpr std::array<std::uint8_t, 256> digit_values() noexcept {
  std::array<std::uint8_t, 256> values{};
  for (auto& value : values) value = kNoDigit;
  for (std::size_t i = 0; i < kDigits.size(); ++i) {
    values[static_cast<unsigned char>(kDigits[i])] = static_cast<std::uint8_t>(i);
  }
  return values;
}
constexpr std::array<std::uint8_t, 256> kValues = digit_values();

constexpr std::size_t text_size(std::size_t bytes) noexcept { return bytes + (bytes + 3) / 4; }
static_assert(text_size(kPropagateBytesMax) == kPropagateTextMax);

void write_group(std::uint32_t number, char* to) noexcept {
  const std::uint32_t high = number / (85u * 85u);
  const std::uint32_t low = number % (85u * 85u);
  const std::uint32_t top = high / (85u * 85u);
  const std::uint32_t middle = high % (85u * 85u);
  to[0] = kDigits[top];
  to[1] = kDigits[middle / 85u];
  to[2] = kDigits[middle % 85u];
  to[3] = kDigits[low / 85u];
  to[4] = kDigits[low % 85u];
}

// False if it is no number of 32 bits.
bool read_group(const char* from, std::uint32_t& number) noexcept {
  std::uint64_t value = 0;
  unsigned bad = 0;
  for (int i = 0; i < 5; ++i) {
    const unsigned digit = kValues[static_cast<unsigned char>(from[i])];
    bad |= digit == kNoDigit;
    value = value * 85 + digit;
  }
  number = static_cast<std::uint32_t>(value);
  return bad == 0 && value <= 0xFFFF'FFFFu;
}

// The bytes of a form, with room for whole groups.
struct Groups {
  std::array<std::byte, 4 * kGroupsMax> bytes;
  std::size_t size = 0;

  ByteView view() const noexcept { return {bytes.data(), size}; }
};

std::uint32_t number_at(const std::byte* at) noexcept {
  std::uint32_t number;
  std::memcpy(&number, at, sizeof number);
  return __builtin_bswap32(number);
}

// `Bytes` bytes as text, and back; the sizes that there are, so that nothing is left to loops.  All
// of them leave one byte for the last group.
template <std::size_t Bytes>
void write_digits(const Groups& from, char* to) noexcept {
  static_assert(Bytes % 4 == 1);
  constexpr std::size_t kWhole = Bytes / 4;
  for (std::size_t i = 0; i < kWhole; ++i) write_group(number_at(&from.bytes[4 * i]), to + 5 * i);
  std::array<char, 5> last;
  write_group(static_cast<std::uint32_t>(from.bytes[4 * kWhole]) << 24, last.data());
  std::memcpy(to + 5 * kWhole, last.data(), text_size(1));
}

template <std::size_t Bytes>
bool read_digits(const char* from, Groups& to) noexcept {
  static_assert(Bytes % 4 == 1);
  constexpr std::size_t kWhole = Bytes / 4;
  bool good = true;
  const auto read = [&](const char* digits, std::size_t group) {
    std::uint32_t number = 0;
    good &= read_group(digits, number);
    number = __builtin_bswap32(number);
    std::memcpy(&to.bytes[4 * group], &number, sizeof number);
  };
  for (std::size_t i = 0; i < kWhole; ++i) read(from + 5 * i, i);
  const char last[] = {from[5 * kWhole], from[5 * kWhole + 1], '~', '~', '~'};
  read(last, kWhole);
  to.size = Bytes;
  return good;
}

// The bytes of a text of another size, for its error alone.
Errc decode_slowly(std::string_view text, Groups& groups) noexcept {
  if (text.size() > kPropagateTextMax) return Errc::trailing_bytes;
  const std::size_t count = (text.size() + 4) / 5;
  std::array<char, kGroupsMax * 5> padded;
  padded.fill('~');
  if (!text.empty()) std::memcpy(padded.data(), text.data(), text.size());
  for (std::size_t i = 0; i < count; ++i) {
    std::uint32_t number = 0;
    if (!read_group(padded.data() + 5 * i, number)) return Errc::bad_escape;
    number = __builtin_bswap32(number);
    std::memcpy(&groups.bytes[4 * i], &number, sizeof number);
  }
  const std::size_t missing = count * 5 - text.size();
  // One digit alone says nothing.
  if (missing == 4) return Errc::truncated;
  groups.size = count * 4 - missing;
  return Errc::ok;
}

Errc decode(std::string_view text, Groups& groups) noexcept {
  bool good = false;
  switch (text.size()) {
    case text_size(kAlone):
      good = read_digits<kAlone>(text.data(), groups);
      break;
    case text_size(kWithPrevious):
      good = read_digits<kWithPrevious>(text.data(), groups);
      break;
    case text_size(kPropagateBytesMax):
      good = read_digits<kPropagateBytesMax>(text.data(), groups);
      break;
    default:
      return decode_slowly(text, groups);
  }
  return good ? Errc::ok : Errc::bad_escape;
}

// The bytes of a context that says something; how many.
std::size_t write_bytes(const PropagateContext& context, std::byte* begin) noexcept {
  const SpanContext& request = context.request.span();
  const SpanContext& previous = context.previous;
  const bool has_previous = previous.valid();
  const bool elsewhere = has_previous && !(previous.trace_id() == request.trace_id());
  unsigned head = kVersion << kVersionShift;
  if (request.sampled()) head |= kRequestSampled;
  if (request.random()) head |= kRequestRandom;
  if (has_previous) head |= kHasPrevious;
  if (elsewhere) head |= kPreviousElsewhere;
  if (has_previous && previous.sampled()) head |= kPreviousSampled;
  std::byte* to = begin;
  *to++ = static_cast<std::byte>(head);
  to = put(put(to, request.trace_id()), request.span_id());
  if (has_previous) to = put(to, previous.span_id());
  if (elsewhere) to = put(to, previous.trace_id());
  return static_cast<std::size_t>(to - begin);
}

Errc refuse(Errc cause) noexcept {
  count_misuse(cause == Errc::not_traced ? cause : Errc::bad_propagate_context, name(cause));
  return cause;
}

}  // namespace

PropagateBytes to_bytes(const PropagateContext& context) noexcept {
  PropagateBytes form;
  if (context) form.size = write_bytes(context, form.units.data());
  return form;
}

PropagateText to_text(const PropagateContext& context) noexcept {
  PropagateText text;
  if (!context) return text;
  Groups groups;
  groups.size = write_bytes(context, groups.bytes.data());
  text.size = text_size(groups.size);
  if (groups.size == kWithPrevious) {
    write_digits<kWithPrevious>(groups, text.units.data());
  } else if (groups.size == kAlone) {
    write_digits<kAlone>(groups, text.units.data());
  } else {
    write_digits<kPropagateBytesMax>(groups, text.units.data());
  }
  return text;
}

Errc read_bytes(ByteView bytes, PropagateContext& context) noexcept {
  const Errc cause = parse(bytes, context);
  return cause == Errc::ok ? cause : refuse(cause);
}

Errc read_text(std::string_view text, PropagateContext& context) noexcept {
  Groups groups;
  Errc cause = decode(text, groups);
  if (cause == Errc::ok) cause = parse(groups.view(), context);
  return cause == Errc::ok ? cause : refuse(cause);
}

}  // namespace spanwire::journey
