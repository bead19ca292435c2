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
  if (part.size() < kReplyFixedBytes) return fail(Errc::truncated);
  reply.status = std::to_integer<std::uint8_t>(part[0]);
  if (reply.status > kStatusMax) return fail(Errc::bad_status);
  reply.received_ns = load_big<std::uint64_t>(part.data() + 1);
  reply.duration_ns = load_big<std::uint64_t>(part.data() + 9);
  const std::size_t message_bytes = load_big<std::uint16_t>(part.data() + 17);
  part = part.subspan(kReplyFixedBytes);
  if (part.size() < message_bytes) return fail(Errc::truncated);
  if (part.size() > message_bytes) return fail(Errc::trailing_bytes);
  reply.message = text_of(part);
  if (!valid_utf8(reply.message)) return fail(Errc::bad_utf8);
  return reply;
}

Result<ReplyView> decode_reply_head(ByteView body, const Limits& limits) noexcept {
  if (body.size() < kReplyFixedBytes) return fail(Errc::truncated);
  const std::size_t fixed_bytes = kReplyFixedBytes + load_big<std::uint16_t>(body.data() + 17);
  if (body.size() < fixed_bytes) return fail(Errc::truncated);
  ReplyView view;
  SPANWIRE_TRY(view.fixed, decode_reply_fixed(body.first(fixed_bytes)));
  ByteView rest = body.subspan(fixed_bytes);
  if (rest.size() < 2) return fail(Errc::truncated);
  const std::size_t headers_bytes = load_big<std::uint16_t>(rest.data());
  rest = rest.subspan(2);
  if (headers_bytes > limits.header_block_bytes_max) return fail(Errc::headers_too_long);
  if (rest.size() < headers_bytes) return fail(Errc::truncated);
  view.headers = rest.first(headers_bytes);
  rest = rest.subspan(headers_bytes);
  if (rest.size() < 4) return fail(Errc::truncated);
  view.payload_bytes = load_big<std::uint32_t>(rest.data());
  if (view.payload_bytes > limits.payload_bytes_max) return fail(Errc::payload_too_long);
  view.payload = rest.subspan(4);
  view.head_bytes = body.size() - view.payload.size();
  if (view.payload.size() > view.payload_bytes) return fail(Errc::trailing_bytes);
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
