// Wire v1: requests (path, headers, payload) and their replies, one-shot and out of any split of
// the input.  The body of a v2 request is one such request.  Byte layout and differences to
// Dynamo's own decoders: proto-spec/v1.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "spanwire/base/result.hpp"
#include "spanwire/base/slice.hpp"
#include "spanwire/wire/limits.hpp"

namespace spanwire::wire {

// What a Dynamo server takes: the whole message, lengths included, beyond which it closes.
inline constexpr std::size_t kV1MessageBytesMax = 32u << 20;
inline constexpr std::size_t kV1LengthsBytes = 2 + 2 + 4;
inline constexpr std::size_t kV1ReplyBytesMax = 64u << 10;

// ---- Requests

// What stands before the payload.  Views point into the bytes that were read.
struct RequestHead {
  std::string_view path;
  ByteView headers;  // the block as it came; may be empty
  std::uint32_t payload_bytes = 0;
  std::size_t head_bytes = 0;  // where the payload begins
  // What is wrong with this message although its end is known, the first of: path_too_long,
  // path_not_utf8, headers_too_long, payload_too_long (all by the limits given); else ok.
  Errc damage = Errc::ok;
};

// Fails with truncated only: any three lengths are a message.
Result<RequestHead> decode_request_head(ByteView bytes, const Limits& limits = {}) noexcept;
// The same, into `out`.
Errc read_request_head(ByteView bytes, const Limits& limits, RequestHead& out) noexcept;

struct RequestView {
  std::string_view path;
  ByteView headers;
  ByteView payload;
};

// A whole message and nothing else.  Fails with truncated, trailing_bytes, or the head's damage.
Result<RequestView> decode_request(ByteView bytes, const Limits& limits = {}) noexcept;

// Bytes before the payload; no headers are written as `{}`, the one form that every decoder takes.
std::size_t request_head_bytes(std::string_view path, ByteView headers) noexcept;
// Writes them; `out` has room for request_head_bytes().  Lengths must have passed check_request().
std::size_t encode_request_head(std::string_view path, ByteView headers,
                                std::uint32_t payload_bytes, std::byte* out) noexcept;
// ok, or path_too_long, path_not_utf8, headers_too_long, payload_too_long (also when the message as
// a whole is beyond `message_bytes_max`).
Errc check_request(std::string_view path, ByteView headers, std::size_t payload_bytes,
                   const Limits& limits = {},
                   std::size_t message_bytes_max = kV1MessageBytesMax) noexcept;

// One request that came in.  Valid until the decoder's next next(), feed() or filled().
struct InRequest {
  std::string_view path;
  ByteView headers;
  ByteView payload;  // empty if damaged
  Errc damage = Errc::ok;
  Block* block = nullptr;
  Slice owned;

  // The payload as a Slice that outlives the event; shares the memory it was read into.
  Slice take_payload();
};

// Cuts a run of bytes into requests.  A message that is damaged in itself is handed over with its
// damage as soon as its head is there, and its payload is passed over without being kept: framing
// is never lost.  Path and headers of a damaged one may be beyond the limits.  A message beyond
// `message_bytes_max` as a whole is payload_too_long, as check_request() has it.  One thread at a
// time.
class RequestDecoder {
 public:
  explicit RequestDecoder(const Limits& limits = {},
                          std::size_t message_bytes_max = kV1MessageBytesMax) noexcept
      : limits_(limits), message_bytes_max_(message_bytes_max) {}

  // The next bytes.  They stay valid until next() has returned false; `block` is what they lie in,
  // or null.  The bytes of the feed before must have been used up.
  void feed(ByteView bytes, Block* block = nullptr) noexcept;
  // Hands over the next whole request.  False: more bytes are needed.
  bool next(InRequest& out);

  // Where a large payload that is under way should be read to directly; empty while there is none.
  MutableByteView target() noexcept;
  void filled(std::size_t bytes) noexcept;

  // True while a message has begun and not ended.
  bool in_message() const noexcept {
    return stage_ != Stage::head || (head_.size() != 0 && !handed_over_);
  }
  // At the end of the input: ok between two messages, else truncated.
  Errc finish() const noexcept;

 private:
  enum class Stage : std::uint8_t { head, payload, skip };

  RequestHead read_head(ByteView bytes) const noexcept;
  bool complete_head();
  bool begin_payload(InRequest& out, const RequestHead& head);
  bool go_on_with_payload(InRequest& out);
  bool pass_over() noexcept;

  Limits limits_;
  std::size_t message_bytes_max_;
  ByteView input_;
  Block* block_ = nullptr;
  Stage stage_ = Stage::head;
  bool handed_over_ = false;  // head_ belongs to the request that the last next() handed over
  Buffer head_;               // a head that came in parts, or whose payload did
  Buffer payload_;
  std::size_t payload_bytes_ = 0;
  std::size_t left_ = 0;  // of the payload: to come, or to pass over
};

// ---- Replies (acknowledgements)

// Texts begin with one of these or the peer takes them for success and waits for ever.
inline constexpr std::string_view kOverloadedPrefix = "Server overloaded:";
inline constexpr std::string_view kUnavailablePrefix = "Server unavailable:";
inline constexpr std::string_view kAckOverloaded = "Server overloaded: worker at capacity";
inline constexpr std::string_view kAckBadPath = "Server unavailable: path is not UTF-8";
inline constexpr std::string_view kAckTooLong = "Server unavailable: message too long";
inline constexpr std::string_view kAckDraining = "Server unavailable: shutting down";

// "Server unavailable: unknown endpoint <path>"
std::string unknown_endpoint_text(std::string_view path);
// What a server answers to a message with this damage; never empty.
std::string_view ack_text(Errc damage) noexcept;

enum class Acknowledgement : std::uint8_t {
  accepted,     // the empty reply
  overloaded,   // the peer's running and queued work are at their limits: another may take it
  unavailable,  // the peer does not serve this path, or is going away: another may take it
  unknown,      // any other text: Errc::not_an_acknowledgement
};
Acknowledgement classify_ack(std::string_view text) noexcept;

constexpr std::size_t reply_bytes(std::string_view text) noexcept { return 4 + text.size(); }
std::size_t encode_reply(std::string_view text, std::byte* out) noexcept;

// Cuts a run of bytes into replies.  One thread at a time.
class AckDecoder {
 public:
  void feed(ByteView bytes) noexcept;
  // The next reply's text, valid until the next next() or feed().  False: more bytes are needed, or
  // error() says payload_too_long (beyond kV1ReplyBytesMax): what follows cannot be believed.
  bool next(std::string_view& text);
  Errc error() const noexcept { return error_; }
  Errc finish() const noexcept;

 private:
  ByteView input_;
  Buffer kept_;               // a reply that came in parts
  bool handed_over_ = false;  // kept_ belongs to the reply that the last next() handed over
  Errc error_ = Errc::ok;
};

}  // namespace spanwire::wire
