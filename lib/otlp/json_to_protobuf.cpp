// The way back from receiving.cpp: by the same table, member by member as the parser meets them.
#include <charconv>
#include <deque>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <protozero/pbf_writer.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "lib/base/ascii.hpp"
#include "lib/base/base64.hpp"
#include "lib/otlp/protobuf_schema.hpp"
#include "spanwire/otlp/receiving.hpp"

namespace spanwire::otlp {
namespace {

using nlohmann::json;
using protozero::pbf_writer;
using schema::Field;
using schema::Form;
using schema::Message;

// Some writers use the names of the protobuf definition.
std::string without_underscores(std::string_view name) {
  std::string result;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const bool next = name[i] == '_' && i + 1 < name.size();
    const char c = next ? name[++i] : name[i];
    result += next && c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  }
  return result;
}

const Field* field_named(const Message& message, std::string_view name) {
  const std::string wanted = without_underscores(name);
  for (const Field& field : message.fields) {
    if (wanted == field.name) return &field;
  }
  return nullptr;
}

// proto3's JSON allows an enum's name for its number.
std::optional<std::int64_t> enum_named(std::string_view name) {
  constexpr std::pair<std::string_view, int> kNames[] = {
      {"SPAN_KIND_UNSPECIFIED", 0}, {"SPAN_KIND_INTERNAL", 1}, {"SPAN_KIND_SERVER", 2},
      {"SPAN_KIND_CLIENT", 3},      {"SPAN_KIND_PRODUCER", 4}, {"SPAN_KIND_CONSUMER", 5},
      {"STATUS_CODE_UNSET", 0},     {"STATUS_CODE_OK", 1},     {"STATUS_CODE_ERROR", 2},
  };
  for (const auto& [known, number] : kNames) {
    if (name == known) return number;
  }
  return std::nullopt;
}

template <class Number>
std::optional<Number> number_in(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<double> real_in(std::string_view text) {
  if (text == "NaN") return std::numeric_limits<double>::quiet_NaN();
  if (text == "Infinity") return std::numeric_limits<double>::infinity();
  if (text == "-Infinity") return -std::numeric_limits<double>::infinity();
  return number_in<double>(text);
}

// An id in hex; or in base64, as a plain converter of protobuf writes it.
std::string id_in(std::string_view text) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    const int high = hex_digit(text[i]);
    const int low = hex_digit(text[i + 1]);
    if (high < 0 || low < 0) return decode_base64_leniently(text);
    bytes += static_cast<char>(high * 16 + low);
  }
  return bytes;
}

// Follows the document; what the table does not know is left out.
class Reader final : public nlohmann::json_sax<json> {
 public:
  Reader() : root_(out_) {}
  // The innermost first: each closes itself in the one around it.
  ~Reader() override {
    while (!frames_.empty()) frames_.pop_back();
  }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  const std::string& out() const noexcept { return out_; }
  std::size_t spans() const noexcept { return spans_; }
  std::string fault() const;

  bool null() override {
    if (skipped_ == 0) count_item();
    return true;
  }
  bool boolean(bool value) override {
    const Field* const field = scalar();
    if (field == nullptr) return true;
    if (field->form != Form::flag) return wrong("a boolean");
    writer().add_bool(field->tag, value);
    return true;
  }
  bool number_integer(number_integer_t value) override { return put_number(value, false); }
  bool number_unsigned(number_unsigned_t value) override {
    const bool large = value > std::numeric_limits<std::int64_t>::max();
    return put_number(static_cast<std::int64_t>(value), large);
  }
  bool number_float(number_float_t value, const string_t&) override {
    const Field* const field = scalar();
    if (field == nullptr) return true;
    if (field->form != Form::real) return wrong("a number with a fraction");
    writer().add_double(field->tag, value);
    return true;
  }
  bool string(string_t& text) override;
  bool binary(binary_t&) override { return wrong("binary"); }
  bool start_object(std::size_t) override;
  bool key(string_t& name) override {
    if (skipped_ == 0) frames_.back().field = field_named(*frames_.back().message, name);
    return true;
  }
  bool end_object() override;
  bool start_array(std::size_t) override;
  bool end_array() override {
    if (skipped_ != 0) {
      --skipped_;
    } else {
      frames_.back().in_list = false;
    }
    return true;
  }
  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception&) override {
    fault_ = "not JSON at byte " + std::to_string(position);
    return false;
  }

 private:
  struct Frame {
    const Message* message;
    std::unique_ptr<pbf_writer> writer;  // none: the root's
    std::size_t begin = 0;               // bytes when its content began
    const Field* field = nullptr;        // the member at hand; none: one that is left out
    bool in_list = false;                // inside of its array
    std::size_t items = 0;
  };

  pbf_writer& writer() { return frames_.back().writer ? *frames_.back().writer : root_; }
  const Field* scalar();
  void count_item();
  bool wrong(const std::string& what);
  bool put_number(std::int64_t value, bool large);

  std::string out_;
  pbf_writer root_;
  std::deque<Frame> frames_;
  std::size_t skipped_ = 0;  // objects and lists that are left out, inside of one another
  std::size_t values_ = 0;   // values inside of one another
  std::size_t spans_ = 0;
  std::string fault_;
};

std::string Reader::fault() const {
  std::string place;
  for (const Frame& frame : frames_) {
    if (frame.field == nullptr) break;
    place += (place.empty() ? "" : ".") + std::string(frame.field->name);
    if (frame.in_list) place += '[' + std::to_string(frame.items - (frame.items != 0)) + ']';
  }
  return place.empty() ? fault_ : place + ": " + fault_;
}

bool Reader::wrong(const std::string& what) {
  if (fault_.empty()) fault_ = what + " where another type is meant";
  return false;
}

void Reader::count_item() {
  if (!frames_.empty()) ++frames_.back().items;
}

// The field that a scalar is the value of; none: it is left out.
const Field* Reader::scalar() {
  if (skipped_ != 0 || frames_.empty()) return nullptr;
  count_item();
  return frames_.back().field;
}

bool Reader::put_number(std::int64_t value, bool large) {
  const Field* const field = scalar();
  if (field == nullptr) return true;
  const bool small = !large && value >= 0 && value <= std::numeric_limits<std::uint32_t>::max();
  switch (field->form) {
    case Form::integer:
      if (large) return wrong("a number beyond 64 bits");
      writer().add_int64(field->tag, value);
      return true;
    case Form::time:
      writer().add_fixed64(field->tag, static_cast<std::uint64_t>(value));
      return true;
    case Form::real:
      writer().add_double(field->tag, large ? static_cast<double>(static_cast<std::uint64_t>(value))
                                            : static_cast<double>(value));
      return true;
    case Form::count:
    case Form::fixed32:
      if (!small) return wrong("a number beyond 32 bits");
      field->form == Form::count
          ? writer().add_uint32(field->tag, static_cast<std::uint32_t>(value))
          : writer().add_fixed32(field->tag, static_cast<std::uint32_t>(value));
      return true;
    default:
      return wrong("a number");
  }
}

bool Reader::string(string_t& text) {
  const Field* const field = scalar();
  if (field == nullptr) return true;
  switch (field->form) {
    case Form::text:
      writer().add_string(field->tag, text);
      return true;
    case Form::hex:
      writer().add_bytes(field->tag, id_in(text));
      return true;
    case Form::base64:
      writer().add_bytes(field->tag, decode_base64_leniently(text));
      return true;
    case Form::real:
      if (const auto number = real_in(text)) {
        writer().add_double(field->tag, *number);
        return true;
      }
      return wrong("'" + text.substr(0, 40) + "'");
    case Form::time:
      if (const auto number = number_in<std::uint64_t>(text)) {
        writer().add_fixed64(field->tag, *number);
        return true;
      }
      return wrong("'" + text.substr(0, 40) + "'");
    default:
      break;
  }
  auto number = number_in<std::int64_t>(text);
  if (!number && field->form == Form::count) number = enum_named(text);
  if (!number) return wrong("'" + text.substr(0, 40) + "'");
  --frames_.back().items;  // put_number counts it
  return put_number(*number, false);
}

bool Reader::start_object(std::size_t) {
  if (frames_.empty()) {
    frames_.push_back({&schema::kRequest, nullptr, 0, nullptr, false, 0});
    return true;
  }
  const Field* const field = skipped_ == 0 ? scalar() : nullptr;
  if (field == nullptr) {
    ++skipped_;
    return true;
  }
  if (field->form != Form::message || field->repeated != frames_.back().in_list) {
    return wrong("an object");
  }
  if (field->message->value && ++values_ > kReceivedDepthMax) {
    fault_ = "nested too deep";
    return false;
  }
  auto nested = std::make_unique<pbf_writer>(writer(), field->tag);
  frames_.push_back({field->message, std::move(nested), out_.size(), nullptr, false, 0});
  return true;
}

bool Reader::end_object() {
  if (skipped_ != 0) {
    --skipped_;
    return true;
  }
  Frame& frame = frames_.back();
  if (frame.message->span) ++spans_;
  if (frame.message->value) --values_;
  const bool empty = out_.size() == frame.begin;
  frames_.pop_back();
  // Protozero writes no empty message; here it is an item of a list.
  if (empty && !frames_.empty()) writer().add_message(frames_.back().field->tag, std::string());
  return true;
}

bool Reader::start_array(std::size_t) {
  if (frames_.empty()) {
    fault_ = "a list where an object is meant";
    return false;
  }
  Frame& frame = frames_.back();
  if (skipped_ != 0 || frame.field == nullptr) {
    ++skipped_;
    return true;
  }
  if (!frame.field->repeated || frame.in_list) return wrong("a list");
  frame.in_list = true;
  frame.items = 0;
  return true;
}

}  // namespace

Result<std::size_t> json_to_protobuf(std::string_view request, Buffer& out) {
  Reader reader;
  if (!json::sax_parse(request, &reader)) return fail(Errc::otlp_malformed, reader.fault());
  out.append(reader.out());
  return reader.spans();
}

}  // namespace spanwire::otlp
