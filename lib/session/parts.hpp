// What a request, a data frame or a reply consists of, whichever way it came.
#pragma once

#include "spanwire/session/session.hpp"

namespace spanwire::session {

struct Session::MessageParts {
  const wire::InFrame* frame = nullptr;  // byte mode: what `payload` lies in
  ByteView first;                        // request: the path; reply: the fixed fields
  ByteView headers;
  ByteView payload;               // as much of it as came in this frame
  Slice owned;                    // multipart or put together: the same bytes
  std::uint64_t body_total = 0;   // of all pieces
  std::size_t payload_bytes = 0;  // of all pieces
  wire::ReplyFixed reply;
  Errc damage = Errc::ok;  // what is wrong with the message; the frame is in order

  // Small payloads are only lent: to copy them is cheaper than to keep their block.
  Body take_body() {
    Body body;
    body.bytes = payload;
    if (payload.size() < wire::kCopyPayloadBelow) return body;
    body.owned = owned.empty() && frame != nullptr ? frame->slice(payload) : std::move(owned);
    return body;
  }
};

}  // namespace spanwire::session
