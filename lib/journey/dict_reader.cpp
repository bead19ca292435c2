#include "lib/journey/dict_reader.hpp"

#include "spanwire/journey/sglang_dict.hpp"

namespace spanwire::journey {
namespace {

// The dict, its two objects, and a level of whatever else there may be.
constexpr std::size_t kDepthMax = 4;
constexpr std::size_t kCarrierFieldsMax = 16;

// id = id * 10 + digit; false if it does not fit.
bool append_digit(std::array<std::uint8_t, 16>& id, unsigned digit) noexcept {
  unsigned carry = digit;
  for (std::size_t i = id.size(); i > 0; --i) {
    const unsigned value = id[i - 1] * 10u + carry;
    id[i - 1] = static_cast<std::uint8_t>(value);
    carry = value >> 8;
  }
  return carry == 0;
}

}  // namespace

std::array<std::uint8_t, 16>* DictReader::id_here() noexcept {
  if (place_ != Place::previous || arrays_ != 0) return nullptr;
  if (name_ == "span_id") return &dict().span_id;
  return name_ == "trace_id" ? &dict().trace_id : nullptr;
}

bool DictReader::bad_number() {
  if (id_here() != nullptr) dict().bad = Errc::bad_number;
  return true;
}

bool DictReader::decimal(std::string_view digits) {
  std::array<std::uint8_t, 16>* id = id_here();
  if (id == nullptr) return true;
  *id = {};
  bool good = !digits.empty();
  for (const char c : digits) {
    good = good && c >= '0' && c <= '9' && append_digit(*id, static_cast<unsigned>(c - '0'));
  }
  return good || bad_number();
}

bool DictReader::boolean(bool value) {
  // An object in an array is no dict of ours.
  const bool member = arrays_ == 0 && in_dict() && depth_in_dict() == 1;
  if (member && name_ == "tracing_enable") dict().disabled = !value;
  return true;
}

bool DictReader::number_unsigned(number_unsigned_t value) { return decimal(std::to_string(value)); }

bool DictReader::number_float(number_float_t, const string_t& digits) { return decimal(digits); }

bool DictReader::string(string_t& value) {
  if (place_ == Place::carrier && arrays_ == 0) {
    auto& carrier = dict().carrier;
    if (carrier.size() < kCarrierFieldsMax) carrier.emplace_back(name_, std::move(value));
    return true;
  }
  return decimal(value);
}

bool DictReader::start_object(std::size_t) {
  if (++depth_ + arrays_ > kDepthMax) return false;
  if (!in_dict() || arrays_ != 0) return true;
  if (depth_in_dict() == 1) {
    too_many_ = entries_.size() == kRoomsPerTextMax;
    if (too_many_) return false;
    entries_.push_back({room_, {}});
  } else if (depth_in_dict() == 2) {
    if (name_ == "root_span" || name_ == "root_span_context") place_ = Place::carrier;
    if (name_ == "prev_span" || name_ == "last_span_context") {
      place_ = Place::previous;
      dict().has_previous = true;
    }
  }
  return true;
}

bool DictReader::key(string_t& name) {
  (rooms_ && depth_ == 1 ? room_ : name_) = std::move(name);
  return true;
}

bool DictReader::end_object() {
  place_ = Place::nothing;
  --depth_;
  return true;
}

bool DictReader::start_array(std::size_t) { return ++arrays_ + depth_ <= kDepthMax; }

bool DictReader::end_array() {
  --arrays_;
  return true;
}

}  // namespace spanwire::journey
