#include "lib/rpc/call_headers.hpp"

#include <charconv>
#include <cstring>
#include <utility>

#include "spanwire/trace/wire_carrier.hpp"
#include "spanwire/wire/headers.hpp"
#include "spanwire/wire/timeout.hpp"

namespace spanwire::rpc {
namespace {

std::string_view number_text(std::array<char, 24>& room, std::int64_t number) noexcept {
  const auto end = std::to_chars(room.data(), room.data() + room.size(), number).ptr;
  return {room.data(), static_cast<std::size_t>(end - room.data())};
}

// Names and marks of all fields, and the values of traceparent, timeout, attempt and sequence.
constexpr std::size_t kFixedFieldsBytesMax = 320;

struct RequestFields {
  const trace::Context& context;
  const Headers* extra;
  int attempt;
  std::chrono::nanoseconds timeout;
  bool sampled_bit_only;
  bool numbered = false;
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

// What inject() leaves out for want of room it only counts: there has to be room, whatever they
// are.
bool texts_fit(const RequestFields& fields) noexcept {
  // Several forms of one context; rare enough to be given memory.
  if (trace::propagators() != trace::Propagators::w3c()) return false;
  if (fields.context.block() == nullptr) return true;
  const trace::ContextTexts& texts = fields.context.texts();
  return 6 * (texts.tracestate.size() + texts.baggage.size() + texts.x_request_id.size() +
              texts.request_id.size()) <=
         kHeaderRoomBytes - kFixedFieldsBytesMax;
}

Errc write_fields(const RequestFields& fields, wire::HeaderWriter& writer) {
  if (fields.numbered) {
    // Overwritten at the end.
    char* const room = writer.add_in_place(wire::WellKnown::spanwire_sequence, kSequenceBytes);
    if (room == nullptr) return Errc::headers_too_long;
    std::memset(room, '0', kSequenceBytes);
  }
  trace::InjectOptions options;
  options.sampled_bit_only = fields.sampled_bit_only;
  trace::inject(fields.context, writer, options);
  Errc failed = Errc::ok;
  if (fields.timeout.count() > 0) {
    const std::string_view text = timeout_text(fields.timeout).view();
    char* const out = writer.add_in_place(wire::WellKnown::spanwire_timeout, text.size());
    if (out == nullptr) return Errc::headers_too_long;
    std::memcpy(out, text.data(), text.size());
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

// Into the room, or into memory where that is too small.
Errc write_block(const RequestFields& fields, MutableByteView room, Buffer& large, ByteView& view) {
  wire::HeaderWriter writer(room);
  Errc failed = Errc::headers_too_long;
  if (texts_fit(fields)) failed = write_fields(fields, writer);
  if (failed == Errc::headers_too_long) {
    wire::HeaderWriter larger(large);
    failed = write_fields(fields, larger);
    view = larger.finish();
  } else {
    view = writer.finish();
  }
  return failed;
}

}  // namespace

void CallHeaders::write_request(const trace::Context& context, const Headers* extra, int attempt,
                                std::chrono::nanoseconds timeout, bool sampled_bit_only) {
  const Errc failed =
      write_block({context, extra, attempt, timeout, sampled_bit_only}, room_, large_, view_);
  if (failed != Errc::ok) error_ = Error(failed, "the call's headers");
}

void CallHeaders::write_message(const trace::Context& context, const Headers& extra,
                                bool numbered) {
  const Headers* const own = extra.empty() ? nullptr : &extra;
  const Errc failed = write_block({context, own, 1, {}, false, numbered}, room_, large_, view_);
  if (failed != Errc::ok) error_ = Error(failed, "the message's headers");
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

void write_sequence(const Sequence& sequence, char* out) noexcept {
  constexpr std::string_view kDigits = "0123456789abcdef";
  const auto write = [&](std::uint64_t number, char* at) {
    for (int i = 15; i >= 0; --i, number >>= 4) at[i] = kDigits[number & 15];
  };
  write(sequence.row, out);
  out[16] = '-';
  write(sequence.number, out + 17);
}

std::optional<Sequence> parse_sequence(std::string_view text) noexcept {
  if (text.size() != kSequenceBytes || text[16] != '-') return std::nullopt;
  Sequence sequence;
  for (const auto& [part, number] :
       {std::pair{text.substr(0, 16), &sequence.row}, {text.substr(17), &sequence.number}}) {
    const auto read = std::from_chars(part.data(), part.data() + part.size(), *number, 16);
    if (read.ec != std::errc() || read.ptr != part.data() + part.size()) return std::nullopt;
  }
  return sequence;
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
