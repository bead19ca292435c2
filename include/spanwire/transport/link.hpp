// Link: the seam below the session.  Moves frames between two processes, as one run of bytes (tcp,
// unix, memory) or as multipart messages (zmq, memory).  A link belongs to one executor; all calls
// and all events happen there.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "spanwire/base/clock.hpp"
#include "spanwire/base/executor.hpp"
#include "spanwire/base/result.hpp"
#include "spanwire/base/slice.hpp"
#include "spanwire/wire/out_frame.hpp"

namespace spanwire::transport {

enum class LinkMode : std::uint8_t { bytes, multipart };

struct LinkInfo {
  LinkMode mode = LinkMode::bytes;
  std::string scheme;  // "tcp", "unix", "memory", "zmq+tcp", "zmq+ipc", "zmq+inproc"
  std::string local;   // "127.0.0.1:7001"
  std::string peer;
  bool quick_ack = false;
};

// What a link tells its owner.  Every function may close or destroy the link as its last act.
class LinkEvents {
 public:
  // Byte mode: where the next bytes should go, so that a large payload is read in place; empty for
  // the thread's read block.  Asked before each read.
  virtual MutableByteView read_target() noexcept { return {}; }
  // `bytes` of the target that read_target() named were filled.
  virtual void on_target_filled(std::size_t /*bytes*/) {}
  // Byte mode: bytes as they came, in any split.  They live in `block`: valid during the call,
  // longer only by retaining the block.
  virtual void on_bytes(ByteView bytes, Block& block) = 0;
  // Multipart mode: one whole message.  Parts live during the call; one of wire::kCopyPayloadBelow
  // bytes or more owns its memory and may be moved out and kept.
  virtual void on_message(std::span<Slice> parts) = 0;
  // queued_bytes() fell below kLinkLowWaterBytes after it had been above kLinkHighWaterBytes.
  virtual void on_writable() = 0;
  // Last event, exactly once, also after close(); says what closed it.
  virtual void on_closed(const Error& cause) = 0;

 protected:
  ~LinkEvents() = default;
};

inline constexpr std::size_t kLinkHighWaterBytes = 256u << 10;
inline constexpr std::size_t kLinkLowWaterBytes = 64u << 10;

// Frames handed to send() in one turn of the loop leave in one vectored write at the turn's end, or
// as soon as kLinkFlushBytes are waiting.  A ZeroMQ link has libzmq's thread for that, and hands
// each frame to it at once.
inline constexpr std::size_t kLinkFlushBytes = 64u << 10;

class Link : public wire::FrameSink {
 public:
  virtual ~Link() = default;

  // Starts reading.  `events` outlives the link or its on_closed, whichever is first.
  virtual void start(LinkEvents& events) = 0;
  // Stops reading until resumed: the byte budget is used up.
  virtual void pause_reading(bool paused) = 0;
  // Writes what is queued, then closes (in good order); on_closed follows in a later turn.
  virtual void close(const Error& cause) = 0;
  // What libzmq still has to write when the link has ended is written until `deadline`, not for as
  // long as ZmqOptions::linger allows.  Other links do not linger.
  virtual void linger_until(MonotonicTime /*deadline*/) {}
  virtual const LinkInfo& info() const noexcept = 0;
};

}  // namespace spanwire::transport
