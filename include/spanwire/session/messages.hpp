// What goes into a session and comes out of it: requests, replies, bytes.
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>
#include <utility>

#include "spanwire/base/clock.hpp"
#include "spanwire/base/slice.hpp"

namespace spanwire::session {

// Bytes that came in.  `bytes` is valid during the event; where `owned` is set it holds the same
// bytes and may be moved out and kept.  Where it is not (small payloads), whoever keeps them copies
// them.
struct Body {
  ByteView bytes;
  Slice owned;

  // The bytes as a Slice of the receiver's own.
  Slice take() { return owned.empty() ? Slice::copy_of(bytes) : std::move(owned); }
};

// How far a call had got when it was lost.
enum class Progress : std::uint8_t {
  not_sent,     // no write that covers its first byte was submitted: it may go elsewhere
  not_started,  // sent, and the peer said that it never started
  sent,         // may have run
  started,      // the peer sent something for it
};

struct RequestOut {
  std::string_view path;      // borrowed for open()
  bool path_is_utf8 = false;  // known to be: need not be looked at
  ByteView headers;           // encoded block, borrowed for open()
  Slice payload;              // moved from if it is not small; still there if open() fails
  bool stream = false;        // data may follow, in either direction
  bool end = true;            // no data follow from this side
  bool one_way = false;  // no reply wanted: the call ends (as ok) once it is written; needs `end`,
                         // excludes `stream`
};

struct RequestIn {
  std::uint32_t id = 0;
  std::string_view path;  // valid during the event
  ByteView headers;       // encoded block, valid during the event
  Body payload;
  bool stream = false;
  bool end = true;  // the caller sends no data behind the payload
  bool one_way = false;
  WallTime received{};
};

struct ReplyOut {
  std::uint8_t status = 0;
  bool not_started = false;
  std::chrono::nanoseconds duration{};  // of the handler
  std::string_view message;             // borrowed; clipped to wire::kReplyMessageBytesMax
  ByteView headers;                     // encoded block, borrowed; empty for none
  Slice payload;                        // moved from if it is not small
};

struct ReplyIn {
  std::uint8_t status = 0;   // gRPC's codes, 0 = ok
  bool not_started = false;  // the handler never ran
  WallTime received{};       // the server's clock when the request arrived; zero when unknown
  std::chrono::nanoseconds duration{};  // of the handler
  std::string_view message;
  ByteView headers;  // encoded block; empty for none
  Body payload;
};

}  // namespace spanwire::session
