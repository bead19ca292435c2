#include <bit>
#include <cstring>

#include "lib/wire/scan.hpp"
#include "spanwire/wire/headers.hpp"

namespace spanwire::wire {
namespace {

// Eight bytes of a name as one number, and the bits in which upper and lower case differ.
struct Word {
  std::uint64_t text = 0;
  std::uint64_t case_bits = 0;
};

constexpr Word word_at(std::string_view name, std::size_t offset) {
  Word word;
  for (std::size_t i = 0; i < 8 && offset + i < name.size(); ++i) {
    const char c = name[offset + i];
    const std::size_t shift = std::endian::native == std::endian::little ? 8 * i : 8 * (7 - i);
    word.text |= std::uint64_t{static_cast<unsigned char>(c)} << shift;
    if (c >= 'a' && c <= 'z') word.case_bits |= std::uint64_t{0x20} << shift;
  }
  return word;
}

// Eight bytes at the front, eight at the back and, above 16, eight in the middle cover every name.
template <WellKnown kKnown>
bool is(const char* name) noexcept {
  constexpr std::string_view kText = kWellKnownNames[static_cast<std::size_t>(kKnown)];
  constexpr Word kFront = word_at(kText, 0);
  constexpr Word kBack = word_at(kText, kText.size() - 8);
  std::uint64_t front;
  std::uint64_t back;
  std::memcpy(&front, name, 8);
  std::memcpy(&back, name + kText.size() - 8, 8);
  if ((front | kFront.case_bits) != kFront.text || (back | kBack.case_bits) != kBack.text) {
    return false;
  }
  if constexpr (kText.size() > 16) {
    constexpr Word kMiddle = word_at(kText, 8);
    std::uint64_t middle;
    std::memcpy(&middle, name + 8, 8);
    return (middle | kMiddle.case_bits) == kMiddle.text;
  }
  return true;
}

}  // namespace

WellKnown classify(std::string_view name) noexcept {
  const char* const at = name.data();
  switch (name.size()) {
    case 7:
      return same_name(name, "baggage") ? WellKnown::baggage : WellKnown::none;
    case 10:
      if (is<WellKnown::tracestate>(at)) return WellKnown::tracestate;
      return is<WellKnown::request_id>(at) ? WellKnown::request_id : WellKnown::none;
    case 11:
      return is<WellKnown::traceparent>(at) ? WellKnown::traceparent : WellKnown::none;
    case 12:
      return is<WellKnown::x_request_id>(at) ? WellKnown::x_request_id : WellKnown::none;
    case 16:
      if (is<WellKnown::spanwire_timeout>(at)) return WellKnown::spanwire_timeout;
      return is<WellKnown::spanwire_attempt>(at) ? WellKnown::spanwire_attempt : WellKnown::none;
    case 17:
      return is<WellKnown::spanwire_sequence>(at) ? WellKnown::spanwire_sequence : WellKnown::none;
    case 19:
      return is<WellKnown::x_dynamo_request_id>(at) ? WellKnown::x_dynamo_request_id
                                                    : WellKnown::none;
    case 20:
      return is<WellKnown::spanwire_retry_after>(at) ? WellKnown::spanwire_retry_after
                                                     : WellKnown::none;
    default:
      return WellKnown::none;
  }
}

bool same_name(std::string_view a, std::string_view b) noexcept {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] != b[i] && lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

}  // namespace spanwire::wire
