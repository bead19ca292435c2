// Reads SGLang's dicts from the events of a JSON or MessagePack parser: nothing is built of what is
// not wanted, and depth is bounded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "spanwire/journey/propagate.hpp"

namespace spanwire::journey {

// What one dict says, still as text and numbers.
struct RawDict {
  std::vector<std::pair<std::string, std::string>> carrier;
  // Big-endian; the whole of a trace id, the last 8 bytes of a span id.
  std::array<std::uint8_t, 16> span_id{};
  std::array<std::uint8_t, 16> trace_id{};
  bool has_previous = false;
  bool disabled = false;
  Errc bad = Errc::ok;
};

// The interface of nlohmann's parsers.  Returning false stops them.
class DictReader {
 public:
  using number_integer_t = nlohmann::json::number_integer_t;
  using number_unsigned_t = nlohmann::json::number_unsigned_t;
  using number_float_t = nlohmann::json::number_float_t;
  using string_t = nlohmann::json::string_t;
  using binary_t = nlohmann::json::binary_t;

  // One dict, or an object of dicts by the names of their rooms.
  explicit DictReader(bool rooms) noexcept : rooms_(rooms) {}

  struct Entry {
    std::string room;
    RawDict dict;
  };
  std::vector<Entry>& entries() noexcept { return entries_; }
  bool too_many() const noexcept { return too_many_; }

  bool null() { return true; }
  bool boolean(bool value);
  bool number_integer(number_integer_t) { return bad_number(); }
  bool number_unsigned(number_unsigned_t value);
  // An integer beyond 64 bits comes as one, with its digits.
  bool number_float(number_float_t, const string_t& digits);
  bool string(string_t& value);
  bool binary(binary_t&) { return true; }
  bool start_object(std::size_t);
  bool key(string_t& name);
  bool end_object();
  // Nothing that is wanted is in an array.
  bool start_array(std::size_t);
  bool end_array();
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) {
    return false;
  }

 private:
  enum class Place { nothing, carrier, previous };

  // Of a dict's members: 1.
  std::size_t depth_in_dict() const noexcept { return depth_ - (rooms_ ? 1 : 0); }
  bool in_dict() const noexcept { return depth_ > (rooms_ ? 1u : 0u); }
  RawDict& dict() noexcept { return entries_.back().dict; }
  std::array<std::uint8_t, 16>* id_here() noexcept;
  bool decimal(std::string_view digits);
  bool bad_number();

  const bool rooms_;
  std::size_t depth_ = 0;
  std::size_t arrays_ = 0;
  bool too_many_ = false;
  std::string room_;
  std::string name_;
  Place place_ = Place::nothing;
  std::vector<Entry> entries_;
};

}  // namespace spanwire::journey
