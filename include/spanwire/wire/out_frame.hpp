// A frame on its way out, before a link lays it out: one run of bytes on a byte link, one multipart
// message on a multipart link.  The session makes it, the link takes it; neither knows the other.
#pragma once

#include "spanwire/base/slice.hpp"
#include "spanwire/wire/frame.hpp"

namespace spanwire::wire {

// Body = [u64 total body bytes, first of several pieces only] + fields.  By type:
//   request  byte link: u16 path length, path, u16 headers length, headers, u32 payload length,
//   payload
//            multipart: path | headers | payload
//   reply    fixed (in `first`), headers with u16 length, u32 payload length, payload
//            multipart: first | headers | payload
//   others   first, then payload
// header.body_bytes need not be set: the layout computes it.
struct OutFrame {
  FrameHeader header;
  ByteView first;  // request: the path; else the fixed fields.  Copied before send() returns
  ByteView
      headers;    // request, reply, head: the encoded headers block.  Copied before send() returns
  Slice payload;  // this frame's part of the payload; small ones are copied, larger ones kept
  std::uint32_t payload_total = 0;  // what the payload length field says: all pieces together
  std::uint64_t body_total = 0;     // with kFlagPieces: bytes of all pieces' bodies together
};

// Takes frames in order.  One thread.  Never blocks and never fails: what cannot be written waits
// in the link's queue, whose size the session watches (queued_bytes) before it hands over more.
class FrameSink {
 public:
  virtual void send(OutFrame& frame) = 0;
  // The preface, before the first frame.
  virtual void send_raw(ByteView bytes) = 0;
  // Bytes that send() took and the system has not.
  virtual std::size_t queued_bytes() const noexcept = 0;
  // Bytes taken by send() since the start, and how many of them a write call has been given: a
  // frame counts as sent once a write that covers its first byte was submitted.
  virtual std::uint64_t bytes_taken() const noexcept = 0;
  virtual std::uint64_t bytes_submitted() const noexcept = 0;

 protected:
  ~FrameSink() = default;
};

// Bytes of the body before the payload that `frame` has on a byte link.
inline std::size_t byte_fields_bytes(const OutFrame& frame) noexcept {
  if ((frame.header.flags & kFlagContinued) != 0) return 0;
  constexpr std::size_t kLengthsOfRequest = 2 + 2 + 4;
  constexpr std::size_t kLengthsOfReply = 2 + 4;
  std::size_t bytes = frame.first.size() + frame.headers.size();
  if ((frame.header.flags & kFlagPieces) != 0) bytes += sizeof frame.body_total;
  const auto type = static_cast<FrameType>(frame.header.type);
  if (type == FrameType::request) bytes += kLengthsOfRequest;
  if (type == FrameType::reply) bytes += kLengthsOfReply;
  return bytes;
}
inline std::size_t byte_body_bytes(const OutFrame& frame) noexcept {
  return byte_fields_bytes(frame) + frame.payload.size();
}
inline std::size_t byte_head_bytes(const OutFrame& frame) noexcept {
  return kFrameHeaderBytes + byte_fields_bytes(frame);
}

// Writes what stands before the payload: the frame header, the fields, the payload length.  `out`
// has room for `head_bytes`, which byte_head_bytes(frame) gave.
void write_byte_head(const OutFrame& frame, std::size_t head_bytes, std::byte* out) noexcept;

}  // namespace spanwire::wire
