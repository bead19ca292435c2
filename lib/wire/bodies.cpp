#include "spanwire/wire/bodies.hpp"

#include <algorithm>
#include <cstring>

#include "spanwire/wire/endian.hpp"
#include "spanwire/wire/frame.hpp"
#include "spanwire/wire/utf8.hpp"

namespace spanwire::wire {
namespace {

constexpr std::uint8_t kStatusMax = 16;

Errc check_exactly(ByteView body, std::size_t bytes) noexcept {
  if (body.size() < bytes) return Errc::frame_too_short;
  return body.size() > bytes ? Errc::frame_too_long : Errc::ok;
}

std::byte* store_text(std::byte* out, std::string_view text) noexcept {
  if (!text.empty()) std::memcpy(out, text.data(), text.size());
  return out + text.size();
}

// The fixed part at the front of `body`, of `used` bytes.
Errc read_reply_fixed(ByteView body, ReplyFixed& reply, std::size_t& used) noexcept {
  if (body.size() < kReplyFixedBytes) return Errc::truncated;
  reply.status = std::to_integer<std::uint8_t>(body[0]);
  if (reply.status > kStatusMax) return Errc::bad_status;
  reply.received_ns = load_big<std::uint64_t>(body.data() + 1);
  reply.duration_ns = load_big<std::uint64_t>(body.data() + 9);
  const std::size_t message_bytes = load_big<std::uint16_t>(body.data() + 17);
  used = kReplyFixedBytes + message_bytes;
  if (message_bytes == 0) [[likely]]
    return Errc::ok;
  if (body.size() < used) return Errc::truncated;
  reply.message = text_of(body.subspan(kReplyFixedBytes, message_bytes));
  return valid_utf8(reply.message) ? Errc::ok : Errc::bad_utf8;
}

template <class T>
std::array<std::byte, sizeof(T)> number_body(T value) noexcept {
  std::array<std::byte, sizeof(T)> body;
  store_big(body.data(), value);
  return body;
}

}  // namespace

void encode_hello(const Hello& hello, std::byte* out) noexcept {
  out = store_big(out, hello.version);
  out = store_big(out, std::uint16_t{0});
  out = store_big(out, hello.features);
  out = store_big(out, hello.streams_max);
  out = store_big(out, hello.stream_window_bytes);
  out = store_big(out, hello.connection_window_bytes);
  out = store_big(out, hello.frame_body_bytes_max);
  out = store_big(out, hello.payload_bytes_max);
  out = store_big(out, hello.ping_interval_min_ms);
  out = store_big(out, hello.incarnation);
  out = store_big(out, hello.path_bytes_max);
  store_big(out, hello.header_block_bytes_max);
}

Result<Hello> decode_hello(ByteView body) noexcept {
  if (body.size() < kHelloBytes) return fail(Errc::frame_too_short);
  const std::byte* at = body.data();
  Hello hello;
  hello.version = load_big<std::uint16_t>(at);
  if (hello.version < kProtocolVersion) return fail(Errc::bad_version);
  if (load_big<std::uint16_t>(at + 2) != 0) return fail(Errc::reserved_bits_set);
  hello.features = load_big<std::uint32_t>(at + 4);
  hello.streams_max = load_big<std::uint32_t>(at + 8);
  hello.stream_window_bytes = load_big<std::uint32_t>(at + 12);
  hello.connection_window_bytes = load_big<std::uint32_t>(at + 16);
  hello.frame_body_bytes_max = load_big<std::uint32_t>(at + 20);
  hello.payload_bytes_max = load_big<std::uint32_t>(at + 24);
  hello.ping_interval_min_ms = load_big<std::uint32_t>(at + 28);
  hello.incarnation = load_big<std::uint64_t>(at + 32);
  hello.path_bytes_max = load_big<std::uint16_t>(at + 40);
  hello.header_block_bytes_max = load_big<std::uint16_t>(at + 42);
  if (hello.frame_body_bytes_max < kFrameBodyBytesFloor) return fail(Errc::bad_hello);
  return hello;
}

std::size_t encode_reply_fixed(const ReplyFixed& reply, std::byte* out) noexcept {
  SPANWIRE_ASSERT(reply.message.size() <= kReplyMessageBytesMax);
  *out++ = std::byte{reply.status};
  out = store_big(out, reply.received_ns);
  out = store_big(out, reply.duration_ns);
  out = store_big(out, static_cast<std::uint16_t>(reply.message.size()));
  store_text(out, reply.message);
  return reply_fixed_bytes(reply.message);
}

Result<ReplyFixed> decode_reply_fixed(ByteView part) noexcept {
  ReplyFixed reply;
  if (part.empty()) return reply;
  std::size_t used = 0;
  if (const Errc code = read_reply_fixed(part, reply, used); code != Errc::ok) return fail(code);
  if (part.size() > used) return fail(Errc::trailing_bytes);
  return reply;
}

Errc read_reply_head(ByteView body, const Limits& limits, ReplyView& view) noexcept {
  std::size_t used = 0;
  if (const Errc code = read_reply_fixed(body, view.fixed, used); code != Errc::ok) return code;
  if (body.size() - used < 2) return Errc::truncated;
  const std::size_t headers_bytes = load_big<std::uint16_t>(body.data() + used);
  used += 2;
  if (headers_bytes > limits.header_block_bytes_max) return Errc::headers_too_long;
  if (body.size() - used < headers_bytes) return Errc::truncated;
  view.headers = body.subspan(used, headers_bytes);
  used += headers_bytes;
  if (body.size() - used < 4) return Errc::truncated;
  view.payload_bytes = load_big<std::uint32_t>(body.data() + used);
  if (view.payload_bytes > limits.payload_bytes_max) return Errc::payload_too_long;
  view.head_bytes = used + 4;
  view.payload = body.subspan(view.head_bytes);
  return view.payload.size() > view.payload_bytes ? Errc::trailing_bytes : Errc::ok;
}

Result<ReplyView> decode_reply_head(ByteView body, const Limits& limits) noexcept {
  ReplyView view;
  if (const Errc code = read_reply_head(body, limits, view); code != Errc::ok) return fail(code);
  return view;
}

Result<ReplyView> decode_reply(ByteView body, const Limits& limits) noexcept {
  SPANWIRE_TRY(const ReplyView view, decode_reply_head(body, limits));
  if (view.payload.size() < view.payload_bytes) return fail(Errc::truncated);
  return view;
}

std::array<std::byte, kCancelBytes> encode_cancel(Errc reason) noexcept {
  return number_body(static_cast<std::uint16_t>(reason));
}

Result<Errc> decode_cancel(ByteView body) noexcept {
  if (const Errc code = check_exactly(body, kCancelBytes); code != Errc::ok) return fail(code);
  const auto reason = static_cast<Errc>(load_big<std::uint16_t>(body.data()));
  return reason == Errc::ok || name(reason) == "unknown" ? Errc::cancelled : reason;
}

std::array<std::byte, kWindowBytes> encode_window(std::uint32_t credit_bytes) noexcept {
  return number_body(credit_bytes);
}

Result<std::uint32_t> decode_window(ByteView body) noexcept {
  if (const Errc code = check_exactly(body, kWindowBytes); code != Errc::ok) return fail(code);
  return load_big<std::uint32_t>(body.data());
}

std::array<std::byte, kPingBytes> encode_ping(std::uint64_t token) noexcept {
  return number_body(token);
}

Result<std::uint64_t> decode_ping(ByteView body) noexcept {
  if (const Errc code = check_exactly(body, kPingBytes); code != Errc::ok) return fail(code);
  return load_big<std::uint64_t>(body.data());
}

std::size_t encode_goaway(const Goaway& goaway, std::byte* out) noexcept {
  SPANWIRE_ASSERT(goaway.message.size() <= kGoawayMessageBytesMax);
  out = store_big(out, goaway.accepted);
  out = store_big(out, static_cast<std::uint16_t>(goaway.reason));
  store_text(out, goaway.message);
  return kGoawayBytes + goaway.message.size();
}

Result<Goaway> decode_goaway(ByteView body) noexcept {
  if (body.size() < kGoawayBytes) return fail(Errc::frame_too_short);
  if (body.size() > kGoawayBytes + kGoawayMessageBytesMax) return fail(Errc::frame_too_long);
  Goaway goaway;
  goaway.accepted = load_big<std::uint64_t>(body.data());
  goaway.reason = static_cast<Errc>(load_big<std::uint16_t>(body.data() + 8));
  goaway.message = text_of(body.subspan(kGoawayBytes));
  if (!valid_utf8(goaway.message)) return fail(Errc::bad_utf8);
  return goaway;
}

std::array<std::byte, kPiecesTotalBytes> encode_pieces_total(std::uint64_t body_bytes) noexcept {
  return number_body(body_bytes);
}

Result<std::uint64_t> decode_pieces_total(ByteView body) noexcept {
  if (body.size() < kPiecesTotalBytes) return fail(Errc::frame_too_short);
  return load_big<std::uint64_t>(body.data());
}

}  // namespace spanwire::wire
