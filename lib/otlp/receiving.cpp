#include "spanwire/otlp/receiving.hpp"

#include <array>
#include <exception>
#include <protozero/pbf_reader.hpp>
#include <protozero/pbf_writer.hpp>
#include <vector>

#include "lib/base/base64.hpp"
#include "lib/otlp/json_writer.hpp"
#include "lib/otlp/otlp_fields.hpp"
#include "lib/otlp/protobuf_schema.hpp"

namespace spanwire::otlp {
namespace {

using protozero::data_view;
using protozero::pbf_reader;
using protozero::pbf_wire_type;
using schema::Field;
using schema::Form;
using schema::Message;

// Thrown beside protozero's own, and caught where those are.
class Fault final : public std::exception {
 public:
  explicit Fault(const char* what) noexcept : what_(what) {}
  const char* what() const noexcept override { return what_; }

 private:
  const char* what_;
};

pbf_wire_type wire_type_of(Form form) noexcept {
  switch (form) {
    case Form::flag:
    case Form::count:
    case Form::integer:
      return pbf_wire_type::varint;
    case Form::real:
    case Form::time:
      return pbf_wire_type::fixed64;
    case Form::fixed32:
      return pbf_wire_type::fixed32;
    default:
      return pbf_wire_type::length_delimited;
  }
}

// The last value of a field, and how often it came.
struct Found {
  std::size_t count = 0;
  data_view bytes;
  std::uint64_t bits = 0;
  double real = 0;

  void take(pbf_reader& reader, Form form) {
    ++count;
    switch (form) {
      case Form::flag:
        bits = reader.get_bool() ? 1 : 0;
        break;
      case Form::count:
        bits = reader.get_uint32();
        break;
      case Form::integer:
        bits = static_cast<std::uint64_t>(reader.get_int64());
        break;
      case Form::real:
        real = reader.get_double();
        break;
      case Form::time:
        bits = reader.get_fixed64();
        break;
      case Form::fixed32:
        bits = reader.get_fixed32();
        break;
      default:
        bytes = reader.get_view();
    }
  }
};

std::string_view text_of(data_view view) noexcept { return {view.data(), view.size()}; }

std::string hex_of(std::string_view bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

// Writes one message after another, each by its table.
class Transcoder {
 public:
  explicit Transcoder(Buffer& out) : out_(out) {}

  void write(const Message& message, data_view bytes);
  void finish() { out_.finish(); }
  std::size_t spans() const noexcept { return spans_; }
  // Where it is: "resourceSpans[0].scopeSpans[1].spans[3]".
  std::string place() const;

 private:
  using FoundFields = std::array<Found, schema::kFieldsMax>;
  struct Step {
    const Field* field;
    std::size_t index;
  };

  // Returns the place of the field that came last.
  std::size_t find(const Message& message, data_view bytes, FoundFields& found);
  void write_list(const Field& field, data_view bytes);
  void write_one(const Field& field, const Found& found);

  JsonWriter out_;
  std::vector<Step> path_;
  std::size_t depth_ = 0;
  std::size_t spans_ = 0;
};

std::string Transcoder::place() const {
  std::string text;
  for (const Step& step : path_) {
    if (!text.empty()) text += '.';
    text += step.field->name;
    if (step.field->repeated) text += '[' + std::to_string(step.index) + ']';
  }
  return text;
}

std::size_t Transcoder::find(const Message& message, data_view bytes, FoundFields& found) {
  std::size_t last = 0;
  pbf_reader reader(bytes);
  while (reader.next()) {
    std::size_t at = 0;
    while (at < message.fields.size() && message.fields[at].tag != reader.tag()) ++at;
    if (at == message.fields.size()) {
      reader.skip();
      continue;
    }
    path_.push_back({&message.fields[at], found[at].count});
    if (reader.wire_type() != wire_type_of(message.fields[at].form)) {
      throw Fault("not the type of this field");
    }
    found[at].take(reader, message.fields[at].form);
    path_.pop_back();
    last = at;
  }
  return last;
}

void Transcoder::write(const Message& message, data_view bytes) {
  if (message.value && ++depth_ > kReceivedDepthMax) throw Fault("nested too deep");
  FoundFields found;
  const std::size_t last = find(message, bytes, found);
  out_.literal("{");
  bool any = false;
  for (std::size_t at = 0; at < message.fields.size(); ++at) {
    if (found[at].count == 0 || (message.one_of && at != last)) continue;
    const Field& field = message.fields[at];
    out_.literal("\"");
    out_.raw(field.name);
    out_.literal("\":");
    field.repeated ? write_list(field, bytes) : write_one(field, found[at]);
    out_.literal(",");
    any = true;
  }
  if (any) out_.drop_last();
  out_.literal("}");
  if (message.value) --depth_;
  if (message.span) ++spans_;
}

void Transcoder::write_list(const Field& field, data_view bytes) {
  out_.literal("[");
  path_.push_back({&field, 0});
  pbf_reader reader(bytes);
  while (reader.next(field.tag)) {
    write(*field.message, reader.get_view());
    out_.literal(",");
    ++path_.back().index;
  }
  path_.pop_back();
  out_.drop_last();
  out_.literal("]");
}

void Transcoder::write_one(const Field& field, const Found& found) {
  switch (field.form) {
    case Form::text:
      return out_.string(text_of(found.bytes));
    case Form::hex:
      return out_.string(hex_of(text_of(found.bytes)));
    case Form::base64:
      return out_.string(encode_base64(text_of(found.bytes)));
    case Form::flag:
      return found.bits != 0 ? out_.literal("true") : out_.literal("false");
    case Form::count:
    case Form::fixed32:
      return out_.number(found.bits);
    case Form::real:
      return out_.number(found.real);
    case Form::integer:
      out_.literal("\"");
      out_.number(static_cast<std::int64_t>(found.bits));
      return out_.literal("\"");
    case Form::time:
      out_.literal("\"");
      out_.number(found.bits);
      return out_.literal("\"");
    case Form::message:
      path_.push_back({&field, 0});
      write(*field.message, found.bytes);
      path_.pop_back();
  }
}

std::string json_text(std::string_view text) {
  Buffer out;
  JsonWriter writer(out);
  writer.string(text);
  writer.finish();
  return std::string(spanwire::text_of(out.view()));
}

}  // namespace

Result<std::size_t> protobuf_to_json(ByteView request, Buffer& out) {
  const std::size_t before = out.size();
  Transcoder transcoder(out);
  std::string fault;
  try {
    const std::string_view bytes = spanwire::text_of(request);
    transcoder.write(schema::kRequest, {bytes.data(), bytes.size()});
  } catch (const protozero::end_of_buffer_exception&) {
    fault = "cut off";
  } catch (const protozero::exception& problem) {
    fault = problem.what();
  } catch (const Fault& problem) {
    fault = problem.what();
  }
  transcoder.finish();
  if (fault.empty()) return transcoder.spans();
  out.truncate(before);
  const std::string place = transcoder.place();
  return fail(Errc::otlp_malformed, place.empty() ? fault : place + ": " + fault);
}

std::string export_response_protobuf(const Rejection& rejection) {
  std::string response;
  if (rejection.spans == 0 && rejection.reason.empty()) return response;
  protozero::pbf_writer writer(response);
  protozero::pbf_writer partial(writer, field::kResponsePartialSuccess);
  if (rejection.spans != 0) {
    partial.add_int64(field::kPartialRejectedSpans, static_cast<std::int64_t>(rejection.spans));
  }
  if (!rejection.reason.empty()) partial.add_string(field::kPartialMessage, rejection.reason);
  return response;
}

std::string export_response_json(const Rejection& rejection) {
  if (rejection.spans == 0 && rejection.reason.empty()) return "{}";
  return "{\"partialSuccess\":{\"rejectedSpans\":\"" + std::to_string(rejection.spans) +
         "\",\"errorMessage\":" + json_text(rejection.reason) + "}}";
}

std::string rpc_status_protobuf(int code, std::string_view message) {
  std::string status;
  protozero::pbf_writer writer(status);
  writer.add_int32(field::kRpcStatusCode, code);
  writer.add_string(field::kRpcStatusMessage, message.data(), message.size());
  return status;
}

std::string rpc_status_json(int code, std::string_view message) {
  return "{\"code\":" + std::to_string(code) + ",\"message\":" + json_text(message) + '}';
}

}  // namespace spanwire::otlp
