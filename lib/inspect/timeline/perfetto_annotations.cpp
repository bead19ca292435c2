#include "lib/inspect/timeline/perfetto_annotations.hpp"

#include <bit>

#include "lib/inspect/timeline/writer.hpp"
#include "spanwire/inspect/span_reader.hpp"

namespace spanwire::inspect {
namespace {

using otlp::field_bytes;
using otlp::ProtobufCursor;
using otlp::ProtobufWriter;

constexpr unsigned kInEvent = 4;

constexpr unsigned kNameIid = 1;
constexpr unsigned kBool = 2;
constexpr unsigned kInt = 4;
constexpr unsigned kDouble = 5;
constexpr unsigned kString = 6;
constexpr unsigned kName = 10;
constexpr unsigned kDictEntry = 11;
constexpr unsigned kArrayValue = 12;

std::size_t varint_bytes(std::uint64_t value) noexcept {
  return static_cast<std::size_t>(protozero::length_of_varint(value));
}

}  // namespace

void PerfettoAnnotations::text(std::string_view key, std::string_view text) {
  add_text(kInEvent, key_of(key), text);
}

void PerfettoAnnotations::flag(std::string_view key) { add_flag(kInEvent, key_of(key), true); }

void PerfettoAnnotations::number(std::string_view key, std::int64_t number) {
  add_number(kInEvent, key_of(key), number);
}

void PerfettoAnnotations::value(std::string_view key, const Value& value) {
  add_value(kInEvent, key_of(key), value);
}

void PerfettoAnnotations::links(const std::vector<SpanLink>& links) {
  number("otel.links", static_cast<std::int64_t>(links.size()));
  list(kInEvent, key_of("otel.linked"), [&] {
    for (std::size_t i = 0; i < links.size() && i < kLinksShownMax; ++i) {
      add_text(kArrayValue, {}, links[i].trace.hex().str() + ':' + links[i].span.hex().str());
    }
  });
}

void PerfettoAnnotations::json(std::string_view key, simdjson::dom::element json) {
  add_json(kInEvent, key_of(key), json, 0);
}

PerfettoAnnotations::Key PerfettoAnnotations::key_of(std::string_view key) {
  const std::uint64_t iid = names_.iid(key);
  if (iid != 0) return {iid, {}, 1 + varint_bytes(iid)};
  return {0, key, field_bytes(key.size())};
}

void PerfettoAnnotations::write(const Key& key, ProtobufCursor& out) noexcept {
  if (key.iid != 0) return out.number(kNameIid, key.iid);
  if (key.bytes != 0) out.text(kName, key.text);
}

// `content` writes the field of `bytes` that is the value.
template <typename Content>
void PerfettoAnnotations::item(unsigned field, const Key& key, std::size_t bytes,
                               const Content& content) {
  ProtobufCursor out(out_, 3 * ProtobufCursor::kFieldMax + key.text.size() + bytes);
  out.message(field, key.bytes + bytes);
  write(key, out);
  content(out);
}

template <typename Items>
void PerfettoAnnotations::list(unsigned field, const Key& key, const Items& items) {
  ProtobufWriter around(out_);
  const ProtobufWriter list(around, field);
  {
    ProtobufCursor out(out_, ProtobufCursor::kFieldMax + key.text.size());
    write(key, out);
  }
  items();
}

void PerfettoAnnotations::add_text(unsigned field, const Key& key, std::string_view text) {
  item(field, key, field_bytes(text.size()), [&](ProtobufCursor& out) { out.text(kString, text); });
}

void PerfettoAnnotations::add_flag(unsigned field, const Key& key, bool flag) {
  item(field, key, 2, [&](ProtobufCursor& out) { out.number(kBool, flag ? 1 : 0); });
}

void PerfettoAnnotations::add_number(unsigned field, const Key& key, std::int64_t number) {
  const auto word = static_cast<std::uint64_t>(number);
  item(field, key, 1 + varint_bytes(word), [&](ProtobufCursor& out) { out.number(kInt, word); });
}

void PerfettoAnnotations::add_real(unsigned field, const Key& key, double real) {
  item(field, key, 1 + sizeof real,
       [&](ProtobufCursor& out) { out.fixed64(kDouble, std::bit_cast<std::uint64_t>(real)); });
}

// Depth is bounded by the reader (kValueDepthMax).
void PerfettoAnnotations::add_value(unsigned field, const Key& key, const Value& value) {
  if (const auto* text = std::get_if<std::string>(&value.data)) {
    add_text(field, key, *text);
  } else if (const auto* flag = std::get_if<bool>(&value.data)) {
    add_flag(field, key, *flag);
  } else if (const auto* number = std::get_if<std::int64_t>(&value.data)) {
    add_number(field, key, *number);
  } else if (const auto* real = std::get_if<double>(&value.data)) {
    add_real(field, key, *real);
  } else if (const auto* array = std::get_if<Value::Array>(&value.data)) {
    list(field, key, [&] {
      for (const Value& entry : *array) add_value(kArrayValue, {}, entry);
    });
  } else if (const auto* map = std::get_if<Value::Map>(&value.data)) {
    list(field, key, [&] {
      for (const Attribute& entry : *map) add_value(kDictEntry, key_of(entry.key), entry.value);
    });
  } else {
    add_text(field, key, value.text());
  }
}

void PerfettoAnnotations::add_json(unsigned field, const Key& key, simdjson::dom::element json,
                                   std::size_t depth) {
  std::string_view text;
  bool flag = false;
  std::int64_t number = 0;
  double real = 0;
  simdjson::dom::array array;
  simdjson::dom::object object;
  if (json.get(text) == 0) {
    add_text(field, key, text);
  } else if (json.get(flag) == 0) {
    add_flag(field, key, flag);
  } else if (json.is_int64() && json.get(number) == 0) {
    add_number(field, key, number);
  } else if (json.get(real) == 0) {
    add_real(field, key, real);
  } else if (depth < kValueDepthMax && json.get(array) == 0) {
    list(field, key, [&] {
      for (const auto entry : array) add_json(kArrayValue, {}, entry, depth + 1);
    });
  } else if (depth < kValueDepthMax && json.get(object) == 0) {
    list(field, key, [&] {
      for (const auto entry : object) {
        add_json(kDictEntry, key_of(entry.key), entry.value, depth + 1);
      }
    });
  } else {
    add_text(field, key, simdjson::minify(json));
  }
}

}  // namespace spanwire::inspect
