// Cuts a run of bytes into v2 frames, whatever way it was split on its way here.
// Frames that lie whole in what was fed are views of it; others are put together in memory of their
// own, allocated once, after the limit has approved the length.
// Byte layout: proto-spec/v2.md.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "spanwire/base/result.hpp"
#include "spanwire/base/slice.hpp"
#include "spanwire/wire/frame.hpp"
#include "spanwire/wire/limits.hpp"

namespace spanwire::wire {

// One frame that came in.  `body` is valid until the reader's next next(), feed() or filled().
struct InFrame {
  FrameHeader header;
  ByteView body;
  bool placed = false;  // the body lies where PiecePlacer::place() said
  Block* block = nullptr;
  Slice owned;

  // `part` lies in `body`: as a Slice that outlives the event.  Shares the block that was read into
  // where there is one, copies otherwise.
  Slice slice(ByteView part) const;
};

// Says where the body of a later piece (kFlagContinued) goes, so that a large payload is put
// together where it will stay.
class PiecePlacer {
 public:
  // Exactly header.body_bytes of memory that stays valid until the frame is handed over or the
  // reader is destroyed; empty: the reader's own.  The header has passed the reader's checks only.
  virtual MutableByteView place(const FrameHeader& header) noexcept = 0;

 protected:
  ~PiecePlacer() = default;
};

// One thread at a time.  After an error nothing more comes: framing is lost.
class FrameReader {
 public:
  explicit FrameReader(std::size_t body_bytes_max = kFrameBodyBytesMax,
                       PiecePlacer* placer = nullptr) noexcept
      : body_bytes_max_(body_bytes_max), placer_(placer) {}

  // The next bytes.  They stay valid until next() has returned false; `block` is what they lie in,
  // or null.  The bytes of the feed before must have been used up.
  void feed(ByteView bytes, Block* block = nullptr) noexcept;

  // Hands over the next whole frame.  False: more bytes are needed, or error() says what is wrong:
  // reserved_bits_set, frame_too_long.
  bool next(InFrame& out);
  Errc error() const noexcept { return error_; }

  // Where the bytes of the body under way should be read to directly; empty while no large body is
  // under way.  After filled() with as many bytes as came, next() goes on.
  MutableByteView target() noexcept;
  void filled(std::size_t bytes) noexcept;

  // True while a frame has begun and not ended.
  bool in_frame() const noexcept { return header_have_ != 0 || in_body_; }
  // The header of the frame whose body is under way; meaningful while in_body().
  bool in_body() const noexcept { return in_body_; }
  const FrameHeader& header() const noexcept { return header_; }
  // At the end of the input: ok between two frames, truncated inside one, else error().
  Errc finish() const noexcept;

 private:
  void hand_over_in_place(InFrame& out, const FrameHeader& header) noexcept;
  bool next_slowly(InFrame& out);
  bool begin_frame(const std::byte* header) noexcept;
  bool begin_body(InFrame& out);
  bool go_on_with_body(InFrame& out) noexcept;
  void hand_over_own(InFrame& out) noexcept;

  std::size_t body_bytes_max_;
  PiecePlacer* placer_;
  ByteView input_;
  Block* block_ = nullptr;
  std::array<std::byte, kFrameHeaderBytes> header_bytes_{};
  std::size_t header_have_ = 0;
  FrameHeader header_;
  bool in_body_ = false;
  bool placed_ = false;
  Errc error_ = Errc::ok;
  Buffer own_;
  MutableByteView body_;  // where the body under way goes
  std::size_t body_have_ = 0;
};

}  // namespace spanwire::wire
