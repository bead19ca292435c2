#include "lib/rpc/call_headers.hpp"

#include <charconv>

#include "spanwire/trace/wire_carrier.hpp"
#include "spanwire/wire/headers.hpp"
#include "spanwire/wire/timeout.hpp"

namespace spanwire::rpc {
namespace {

std::string_view number_text(std::array<char, 24>& room, std::int64_t number) noexcept {
  const auto end = std::to_chars(room.data(), room.data() + room.size(), number).ptr;
  return {room.data(), static_cast<std::size_t>(end - room.data())};
}

struct RequestFields {
  const trace::Context& context;
  const Headers* extra;
  int attempt;
  std::chrono::nanoseconds timeout;
  bool sampled_bit_only;
};

// Calls of one turn with the same timeout have the same text: it is made once.
const wire::TimeoutText& timeout_text(std::chrono::nanoseconds timeout) noexcept {
  struct Last {
    std::chrono::nanoseconds timeout{-1};
    wire::TimeoutText text;
  };
  thread_local Last last;
  if (last.timeout != timeout) {
    last.timeout = timeout;
    last.text = wire::write_timeout(timeout);
  }
  return last.text;
}

// traceparent, timeout and attempt with their names.
constexpr std::size_t kFixedFieldsBytesMax = 192;

std::size_t request_bytes_max(const RequestFields& fields) noexcept {
  std::size_t bytes = kFixedFieldsBytesMax;
  const trace::ContextTexts& texts = fields.context.texts();
  if (!texts.empty()) {
    for (const std::string_view text :
         {texts.tracestate, texts.baggage, texts.x_request_id, texts.request_id}) {
      bytes += wire::header_bytes_max("xxxxxxxxxxxx", text);
    }
  }
  if (fields.extra != nullptr) {
    for (const auto& [name, value] : *fields.extra) bytes += wire::header_bytes_max(name, value);
  }
  return bytes;
}

Errc write_fields(const RequestFields& fields, wire::HeaderWriter& writer) {
  trace::InjectOptions options;
  options.sampled_bit_only = fields.sampled_bit_only;
  trace::inject(fields.context, writer, options);
  Errc failed = Errc::ok;
  if (fields.timeout.count() > 0) {
    failed = writer.add(wire::WellKnown::spanwire_timeout, timeout_text(fields.timeout).view());
  }
  if (failed == Errc::ok && fields.attempt > 1) {
    std::array<char, 24> text;
    failed = writer.add(wire::WellKnown::spanwire_attempt, number_text(text, fields.attempt));
  }
  if (fields.extra == nullptr) return failed;
  for (const auto& [name, value] : *fields.extra) {
    if (failed == Errc::ok) failed = writer.add(name, value);
  }
  return failed;
}

}  // namespace

void CallHeaders::write_request(const trace::Context& context, const Headers* extra, int attempt,
                                std::chrono::nanoseconds timeout, bool sampled_bit_only) {
  RequestFields fields{context, extra, attempt, timeout, sampled_bit_only};
  Errc failed = Errc::ok;
  if (request_bytes_max(fields) <= kHeaderRoomBytes) {
    wire::HeaderWriter writer((MutableByteView(room_)));
    failed = write_fields(fields, writer);
    view_ = writer.finish();
  } else {
    wire::HeaderWriter writer(large_);
    failed = write_fields(fields, writer);
    view_ = writer.finish();
  }
  if (failed != Errc::ok) error_ = Error(failed, "the call's headers");
}

void CallHeaders::write_reply(const Headers* extra, std::chrono::milliseconds retry_after) {
  if (extra == nullptr && retry_after.count() == 0) return;
  wire::HeaderWriter writer(large_);
  Errc failed = Errc::ok;
  if (retry_after.count() > 0) {
    failed = writer.add(wire::WellKnown::spanwire_retry_after, wire::write_timeout(retry_after));
  }
  if (extra != nullptr) {
    for (const auto& [name, value] : *extra) {
      if (failed == Errc::ok) failed = writer.add(name, value);
    }
  }
  if (failed != Errc::ok) {
    error_ = Error(failed, "the reply's headers");
    return;
  }
  view_ = writer.finish();
}

bool is_reserved_header(std::string_view name) noexcept {
  return wire::classify(name) != wire::WellKnown::none;
}

Result<void> check_user_headers(const Headers& headers) {
  for (const auto& [name, value] : headers) {
    if (name.empty()) return fail(Errc::invalid_argument, "a header without a name");
    if (is_reserved_header(name)) {
      return fail(Errc::invalid_argument,
                  "the header '" + name + "' is reserved: it is written by the library");
    }
  }
  return {};
}

std::chrono::milliseconds retry_after_of(ByteView header_block) {
  if (header_block.empty()) return std::chrono::milliseconds(0);
  wire::HeaderList list;
  static_cast<void>(list.parse(header_block));
  const wire::Header* header = list.find(wire::WellKnown::spanwire_retry_after);
  if (header == nullptr) return std::chrono::milliseconds(0);
  const Result<std::chrono::nanoseconds> delay = wire::parse_timeout(header->value);
  if (!delay) return std::chrono::milliseconds(0);
  return std::chrono::ceil<std::chrono::milliseconds>(*delay);
}

}  // namespace spanwire::rpc
