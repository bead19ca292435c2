#include <bit>
#include <cstring>
#include <new>

#include "lib/wire/json_text.hpp"
#include "lib/wire/scan.hpp"
#include "spanwire/wire/headers.hpp"

namespace spanwire::wire {

namespace {

constexpr std::size_t kAroundName = 4;  // three quotes and a colon

// Eight characters as they are loaded.
consteval std::uint64_t word_of(const char (&text)[9]) {
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < 8; ++i) {
    const std::size_t shift = std::endian::native == std::endian::little ? 8 * i : 8 * (7 - i);
    word |= std::uint64_t{static_cast<unsigned char>(text[i])} << shift;
  }
  return word;
}

template <std::size_t N>
bool goes_on(const char* at, const char (&text)[N]) noexcept {
  return std::memcmp(at + 8, text, N - 1) == 0;
}

// The well-known name of which quoted name, colon and quote stand at `at`; none for any other text.
WellKnown known_at(const char* at, const char* end) noexcept {
  constexpr std::size_t kLongest = name_of(WellKnown::spanwire_retry_after).size() + kAroundName;
  if (static_cast<std::size_t>(end - at) < kLongest) return WellKnown::none;
  switch (load_word<std::uint64_t>(at)) {
    case word_of("\"tracepa"):
      return goes_on(at, "rent\":\"") ? WellKnown::traceparent : WellKnown::none;
    case word_of("\"tracest"):
      return goes_on(at, "ate\":\"") ? WellKnown::tracestate : WellKnown::none;
    case word_of("\"baggage"):
      return goes_on(at, "\":\"") ? WellKnown::baggage : WellKnown::none;
    case word_of("\"x-reque"):
      return goes_on(at, "st-id\":\"") ? WellKnown::x_request_id : WellKnown::none;
    case word_of("\"request"):
      return goes_on(at, "-id\":\"") ? WellKnown::request_id : WellKnown::none;
    case word_of("\"spanwir"):
      if (goes_on(at, "e-timeout\":\"")) return WellKnown::spanwire_timeout;
      return goes_on(at, "e-attempt\":\"") ? WellKnown::spanwire_attempt : WellKnown::none;
    default:
      return WellKnown::none;
  }
}

}  // namespace

// One pass over one block.  clean_member() knows what writers write: no blanks, strings
// without a special character, which end at the next one.  Everything else is member()'s, and in
// there what is not clean is json_text's.
class HeaderParser {
 public:
  HeaderParser(ByteView block, HeaderList& list) noexcept
      : list_(list),
        begin_(reinterpret_cast<const char*>(block.data())),
        at_(begin_),
        end_(begin_ + block.size()) {}

  Errc run() {
    const Errc code = members();
    return fault_ != Errc::ok ? fault_ : code;
  }

 private:
  Errc members() {
    SpecialFinder special(begin_, end_);
    skip_blanks(at_, end_);
    if (at_ == end_ || *at_ != '{') return Errc::headers_not_json;
    ++at_;
    skip_blanks(at_, end_);
    if (at_ == end_) return Errc::truncated;
    if (*at_ == '}') return tail();
    for (;;) {
      if (!known_member(special)) {
        const Errc code = clean_member(special) ? add_clean() : member();
        if (code != Errc::ok) return code;
      }
      if (at_ == end_ || *at_ != ',') {
        skip_blanks(at_, end_);
        if (at_ == end_) return Errc::truncated;
        if (*at_ == '}') return tail();
        if (*at_ != ',') return Errc::headers_not_json;
      }
      ++at_;
    }
  }

  // A member of a name that is known, spelled as writers spell it: the name need not be searched
  // for its end.
  bool known_member(SpecialFinder& special) noexcept {
    const WellKnown known = known_at(at_, end_);
    if (known == WellKnown::none) return false;
    const std::size_t name_bytes = name_of(known).size();
    const char* const value = at_ + name_bytes + kAroundName;
    const char* const value_end = special.find(value);
    if (value_end == end_ || *value_end != '"') return false;
    std::uint8_t& place = list_.places_[static_cast<std::size_t>(known)];
    if (place != 0 || list_.size_ == kHeaderMembersMax) return false;
    take_place(known, place);
    new (&room_at(list_.size_++))
        Header{{at_ + 1, name_bytes}, {value, static_cast<std::size_t>(value_end - value)}, known};
    at_ = value_end + 1;
    return true;
  }

  // Finds the ends of both strings of a member in the form that writers write.
  bool clean_member(SpecialFinder& special) noexcept {
    if (at_ == end_ || *at_ != '"') return false;
    name_end_ = special.find(at_ + 1);
    if (end_ - name_end_ < 3) return false;
    if (name_end_[0] != '"' || name_end_[1] != ':' || name_end_[2] != '"') return false;
    value_end_ = special.find(name_end_ + 3);
    return value_end_ != end_ && *value_end_ == '"';
  }

  Errc add_clean() noexcept {
    const std::string_view name(at_ + 1, static_cast<std::size_t>(name_end_ - at_ - 1));
    const std::string_view value(name_end_ + 3,
                                 static_cast<std::size_t>(value_end_ - name_end_ - 3));
    at_ = value_end_ + 1;
    return add(name, value);
  }

  Errc member() {
    JsonString name;
    if (const Errc code = expect('"'); code != Errc::ok) return code;
    if (const Errc code = string(name); code != Errc::ok) return code;
    if (const Errc code = expect(':'); code != Errc::ok) return code;
    if (at_ != end_ && *at_ != '"') skip_blanks(at_, end_);
    if (at_ == end_) return Errc::truncated;
    if (*at_ != '"') return other_value(name);
    ++at_;
    JsonString value;
    if (const Errc code = string(value); code != Errc::ok) return code;
    if ((static_cast<unsigned>(name.fault) | static_cast<unsigned>(value.fault)) != 0)
        [[unlikely]] {
      note(name.fault);
      note(value.fault);
      ++list_.dropped_;
      return Errc::ok;
    }
    return add(name.text, value.text);
  }

  Errc other_value(const JsonString& name) {
    Errc string_fault = Errc::ok;
    const Errc code = skip_value(at_, end_, list_.unescaped_, room(), string_fault);
    if (code != Errc::ok) return code;
    note(name.fault);
    note(string_fault);
    ++list_.skipped_;
    return Errc::ok;
  }

  Errc tail() {
    ++at_;
    skip_blanks(at_, end_);
    return at_ == end_ ? Errc::ok : Errc::trailing_bytes;
  }

  Errc expect(char c) noexcept {
    if (at_ == end_ || *at_ != c) [[unlikely]] {
      skip_blanks(at_, end_);
      if (at_ == end_) return Errc::truncated;
      if (*at_ != c) return Errc::headers_not_json;
    }
    ++at_;
    return Errc::ok;
  }

  Errc string(JsonString& out) {
    const char* const close = scan_string(at_, end_);
    if (close != end_ && *close == '"') [[likely]] {
      out.text = {at_, static_cast<std::size_t>(close - at_)};
      at_ = close + 1;
      return Errc::ok;
    }
    return read_string_slowly(at_, end_, list_.unescaped_, room(), out);
  }

  Errc add(std::string_view name, std::string_view value) noexcept {
    const WellKnown known = classify(name);
    if (known != WellKnown::none) {
      std::uint8_t& place = list_.places_[static_cast<std::size_t>(known)];
      if (place != 0) {
        list_.repeated_ |= static_cast<std::uint16_t>(1u << static_cast<unsigned>(known));
        return replace(room_at(place - 1u), name, value);
      }
      if (list_.size_ == kHeaderMembersMax) return Errc::headers_too_many;
      take_place(known, place);
    } else {
      const std::uint64_t bit = name_bit(name);
      if ((list_.seen_ & bit) != 0) {
        if (Header* const first = find(name)) return replace(*first, name, value);
      }
      if (list_.size_ == kHeaderMembersMax) return Errc::headers_too_many;
      list_.seen_ |= bit;
    }
    new (&room_at(list_.size_)) Header{name, value, known};
    ++list_.size_;
    return Errc::ok;
  }

  void take_place(WellKnown known, std::uint8_t& place) noexcept {
    place = static_cast<std::uint8_t>(list_.size_ + 1);
    list_.known_names_ |= static_cast<std::uint16_t>(1u << static_cast<unsigned>(known));
  }

  Errc replace(Header& member, std::string_view name, std::string_view value) noexcept {
    member.name = name;
    member.value = value;
    ++list_.duplicates_;
    return Errc::ok;
  }

  Header* find(std::string_view name) noexcept {
    for (std::size_t i = 0; i < list_.size_; ++i) {
      if (same_name(room_at(i).name, name)) return &room_at(i);
    }
    return nullptr;
  }

  // The same for all spellings of a name: length, first and last letter.
  static std::uint64_t name_bit(std::string_view name) noexcept {
    if (name.empty()) return 1;
    const auto first = static_cast<unsigned char>(name.front() | 0x20);
    const auto last = static_cast<unsigned char>(name.back() | 0x20);
    return std::uint64_t{1} << ((name.size() * 5 + first * 3u + last * 11u) & 63);
  }

  Header& room_at(std::size_t index) noexcept {
    return reinterpret_cast<Header*>(list_.room_.data())[index];
  }
  std::size_t room() const noexcept { return static_cast<std::size_t>(end_ - begin_); }
  void note(Errc code) noexcept {
    if (fault_ == Errc::ok) fault_ = code;
  }

  HeaderList& list_;
  const char* const begin_;
  const char* at_;
  const char* const end_;
  const char* name_end_ = nullptr;
  const char* value_end_ = nullptr;
  Errc fault_ = Errc::ok;
};

Errc HeaderList::parse(ByteView block, std::size_t block_bytes_max) {
  clear();
  if (block.size() > block_bytes_max) return Errc::headers_too_long;
  if (block.empty()) return Errc::ok;
  return HeaderParser(block, *this).run();
}

void HeaderList::clear() noexcept {
  size_ = 0;
  places_ = {};
  known_names_ = 0;
  repeated_ = 0;
  skipped_ = 0;
  duplicates_ = 0;
  dropped_ = 0;
  seen_ = 0;
  unescaped_.clear();
}

const Header* HeaderList::find(std::string_view name) const noexcept {
  if (const WellKnown known = classify(name); known != WellKnown::none) return find(known);
  for (const Header& member : *this) {
    if (same_name(member.name, name)) return &member;
  }
  return nullptr;
}

}  // namespace spanwire::wire
