// OTLP 1.10's messages for traces as a table: how each field stands in protobuf and in JSON.
#pragma once

#include <cstdint>
#include <protozero/types.hpp>
#include <span>

namespace spanwire::otlp::schema {

enum class Form : std::uint8_t {
  text,
  hex,      // bytes of an id
  base64,   // bytes of a value
  flag,     // varint
  count,    // varint, 32 bits; enums too
  integer,  // varint, 64 bits signed: text in JSON
  real,     // 64 bits
  time,     // 64 bits fixed: text in JSON
  fixed32,
  message,
};

struct Message;

struct Field {
  protozero::pbf_tag_type tag = 0;
  const char* name = "";  // in JSON
  Form form = Form::text;
  bool repeated = false;
  const Message* message = nullptr;
};

struct Message {
  std::span<const Field> fields;
  bool one_of = false;  // its fields exclude each other
  bool value = false;   // an AnyValue: these may be nested without end
  bool span = false;    // a span
};

// Fields of one message at most.
inline constexpr std::size_t kFieldsMax = 16;

extern const Message kRequest;

}  // namespace spanwire::otlp::schema
