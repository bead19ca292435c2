#include "spanwire/journey/sglang_dict.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "lib/base/base64.hpp"
#include "lib/journey/dict_reader.hpp"
#include "spanwire/journey/misuse.hpp"
#include "spanwire/trace/carrier.hpp"

namespace spanwire::journey {
namespace {

using nlohmann::json;
using Carrier = std::vector<std::pair<std::string, std::string>>;

// ---- Writing

template <std::size_t Size>
std::string decimal(const trace::Id<Size>& id) {
  std::string digits;
  std::array<std::uint8_t, Size> rest = id.bytes();
  bool more = true;
  while (more) {
    unsigned carry = 0;
    more = false;
    for (std::uint8_t& byte : rest) {
      const unsigned value = carry << 8 | byte;
      byte = static_cast<std::uint8_t>(value / 10);
      carry = value % 10;
      more = more || byte != 0;
    }
    digits += static_cast<char>('0' + carry);
  }
  std::reverse(digits.begin(), digits.end());
  return digits;
}

Carrier carrier_of(const PropagateContext& context) {
  Carrier carrier;
  trace::inject(context.request, carrier);
  return carrier;
}

std::string json_text(std::string_view text) {
  return json(text).dump(-1, ' ', false, json::error_handler_t::replace);
}

void append_carrier(std::string& text, const PropagateContext& context) {
  const char* between = "{";
  for (const auto& [name, value] : carrier_of(context)) {
    text.append(between).append(json_text(name)).append(": ").append(json_text(value));
    between = ", ";
  }
  text += '}';
}

// `none` where there is no previous slice.  Numbers for Python: JSON has integers of any length,
// the library that reads it here has not.
void append_previous(std::string& text, const trace::SpanContext& previous, const char* none) {
  if (!previous.valid()) {
    text += none;
    return;
  }
  text.append("{\"span_id\": ").append(decimal(previous.span_id()));
  text.append(", \"trace_id\": ").append(decimal(previous.trace_id())) += '}';
}

void append_dict(std::string& text, const PropagateContext& context) {
  if (!context) {
    text += "{}";
    return;
  }
  text += "{\"root_span\": ";
  append_carrier(text, context);
  text += ", \"prev_span\": ";
  append_previous(text, context.previous, "\"None\"");
  text += '}';
}

template <std::size_t Size>
json number_of(const trace::Id<Size>& id) {
  const auto& bytes = id.bytes();
  const bool fits =
      std::all_of(bytes.begin(), bytes.end() - 8, [](auto byte) { return byte == 0; });
  return fits ? json(id.low_64()) : json(decimal(id));
}

// ---- Reading

Error refuse(Errc cause, std::string detail) {
  count_misuse(cause == Errc::not_traced ? cause : Errc::bad_propagate_context, detail);
  return {cause, std::move(detail)};
}

template <std::size_t Size>
trace::Id<Size> last_bytes(const std::array<std::uint8_t, 16>& bytes) noexcept {
  std::array<std::uint8_t, Size> last;
  std::copy(bytes.end() - Size, bytes.end(), last.begin());
  return trace::Id<Size>(last);
}

Result<PropagateContext> context_of(const RawDict& dict) {
  if (dict.bad != Errc::ok) return fail(refuse(dict.bad, "an id of prev_span is no number"));
  PropagateContext context;
  if (!dict.disabled) context.request = trace::extract(dict.carrier).context();
  if (!context) return fail(refuse(Errc::not_traced, "no usable traceparent in root_span"));
  if (!dict.has_previous) return context;
  const auto span_id = last_bytes<8>(dict.span_id);
  const bool too_long =
      std::any_of(dict.span_id.begin(), dict.span_id.begin() + 8, [](auto b) { return b != 0; });
  if (too_long) return fail(refuse(Errc::bad_number, "span_id has more than 64 bits"));
  if (span_id.is_zero()) return fail(refuse(Errc::span_id_zero, "span_id of prev_span"));
  const trace::TraceId trace_id(dict.trace_id);
  if (trace_id.is_zero()) return fail(refuse(Errc::trace_id_zero, "trace_id of prev_span"));
  context.previous = trace::SpanContext(trace_id, span_id, 0, true);
  return context;
}

template <class Input>
Result<void> read(const Input& input, json::input_format_t format, DictReader& reader) {
  if (input.size() > kDictBytesMax) {
    const std::string size = std::to_string(input.size());
    return fail(refuse(Errc::headers_too_long, size + " bytes for a context"));
  }
  const auto* begin = reinterpret_cast<const char*>(input.data());
  const bool good = json::sax_parse(begin, begin + input.size(), &reader, format);
  if (reader.too_many()) return fail(refuse(Errc::headers_too_many, "too many rooms"));
  if (!good) return fail(refuse(Errc::bad_propagate_context, "not a dict of the known form"));
  return {};
}

template <class Input>
Result<PropagateContext> read_one(const Input& input, json::input_format_t format) {
  DictReader reader(false);
  SPANWIRE_TRY_VOID(read(input, format, reader));
  if (reader.entries().size() != 1) {
    return fail(refuse(Errc::bad_propagate_context, "not a dict of the known form"));
  }
  return context_of(reader.entries().front().dict);
}

}  // namespace

std::string to_json(const PropagateContext& context) {
  std::string text;
  append_dict(text, context);
  return text;
}

std::vector<std::byte> to_msgpack(const PropagateContext& context) {
  json dict = json::object();
  if (context) {
    dict["root_span"] = json::object();
    for (const auto& [name, value] : carrier_of(context)) dict["root_span"][name] = value;
    dict["prev_span"] = "None";
    if (context.previous.valid()) {
      dict["prev_span"] = {{"span_id", number_of(context.previous.span_id())},
                           {"trace_id", number_of(context.previous.trace_id())}};
    }
  }
  const std::vector<std::uint8_t> packed = json::to_msgpack(dict);
  const auto* begin = reinterpret_cast<const std::byte*>(packed.data());
  return {begin, begin + packed.size()};
}

std::string to_state_json(const PropagateContext& context, const SglangState& about) {
  if (!context) return "{\"tracing_enable\": false}";
  const json facts = {
      {"tracing_enable", true},
      {"rid", about.rid},
      {"bootstrap_room", about.bootstrap_room != 0 ? json(about.bootstrap_room) : json()},
      {"start_time_ns", about.start_time_ns},
      {"role", about.role},
      {"trace_level", about.level},
      {"module_name", about.module},
      {"is_copy", true},
      {"pid", ::getpid()},
      {"thread_context", nullptr},
      {"root_span", nullptr}};
  std::string text = facts.dump(-1, ' ', false, json::error_handler_t::replace);
  text.back() = ',';
  text += "\"root_span_context\":";
  append_carrier(text, context);
  text += ",\"last_span_context\":";
  append_previous(text, context.previous, "null");
  return text += '}';
}

Result<PropagateContext> from_json(std::string_view text) {
  return read_one(text, json::input_format_t::json);
}

Result<PropagateContext> from_msgpack(ByteView bytes) {
  return read_one(bytes, json::input_format_t::msgpack);
}

std::string to_base64(std::span<const RoomContext> rooms) {
  std::string text = "{";
  for (const RoomContext& room : rooms) {
    if (text.size() > 1) text += ", ";
    text.append(json_text(room.room)).append(": ");
    append_dict(text, room.context);
  }
  return encode_base64(text + "}");
}

Result<std::vector<RoomContext>> from_base64(std::string_view text) {
  if (text.size() / 4 * 3 > kDictBytesMax) {
    return fail(refuse(Errc::headers_too_long, std::to_string(text.size()) + " characters"));
  }
  const std::optional<std::string> decoded = decode_base64(text);
  if (!decoded) return fail(refuse(Errc::bad_escape, "not base64"));
  DictReader reader(true);
  SPANWIRE_TRY_VOID(read(*decoded, json::input_format_t::json, reader));
  std::vector<RoomContext> rooms;
  for (DictReader::Entry& entry : reader.entries()) {
    // What cannot be used is counted there.
    if (Result<PropagateContext> context = context_of(entry.dict)) {
      rooms.push_back({std::move(entry.room), std::move(*context)});
    }
  }
  return rooms;
}

}  // namespace spanwire::journey
