// StreamTable: the streams of one session by slot.  A slot's memory never moves; a lookup is two
// loads and a comparison.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "spanwire/base/pool.hpp"
#include "spanwire/base/slice.hpp"
#include "spanwire/wire/frame.hpp"

namespace spanwire::session {

// A body on its way out that could not leave at once.
struct Outgoing : Pooled {
  Outgoing* next = nullptr;
  wire::FrameType type = wire::FrameType::data;
  std::uint8_t flags = 0;
  bool begun = false;             // its first piece has been sent
  bool has_place = false;         // among the bodies in pieces that are under way
  std::uint32_t first_bytes = 0;  // of `fields`: the path or the fixed fields; the rest is headers
  Slice fields;
  Slice payload;
  std::size_t payload_sent = 0;
};

// A body in pieces on its way in.
struct Assembly {
  bool active = false;
  bool dropped = false;  // what comes is counted and thrown away
  std::uint8_t type = 0;
  std::uint8_t flags = 0;  // of the first piece
  Block* payload = nullptr;
  std::size_t payload_bytes = 0;
  std::size_t filled = 0;
  std::size_t first_bytes = 0;  // of `fields`, as in Outgoing
  Slice fields;

  std::size_t missing() const noexcept { return payload_bytes - filled; }
};

// What only a stream with data, or with bodies that had to wait or came in pieces, needs.
struct Flow : Pooled {
  // Sending.
  std::int64_t send_credit = 0;
  Outgoing* first = nullptr;
  Outgoing* last = nullptr;
  struct Stream* ring_next = nullptr;  // streams that have something to send, or wait in line
  struct Stream* ring_previous = nullptr;
  bool in_line = false;
  bool wants_writable = false;  // a write was refused
  // Receiving.
  std::int64_t receive_credit = 0;
  std::uint64_t unread = 0;  // handed to the user and not granted
  std::uint64_t owed = 0;    // to be given back to the peer as credit
  std::uint64_t lent = 0;    // given ahead, so that a body larger than the window can arrive
  Assembly assembly;
};

enum StreamBits : std::uint16_t {
  kOpen = 1 << 0,
  kStreaming = 1 << 1,
  kBegun = 1 << 2,       // the request's first byte was handed to the link (client)
  kStarted = 1 << 3,     // the peer sent something for it (client)
  kHeaded = 1 << 4,      // head was received or sent
  kLocalEnd = 1 << 5,    // this side sends no more data
  kRemoteEnd = 1 << 6,   // the peer sends no more data
  kCancelled = 1 << 7,   // given up by the client, on either side
  kReplied = 1 << 8,     // the reply is on its way (server)
  kDispatched = 1 << 9,  // on_request has happened (server)
  kOneWay = 1 << 10,
  kDeaf = 1 << 11,  // data that come in are dropped: one message could not be taken
};

struct Stream {
  void* user = nullptr;
  std::uint64_t mark = 0;     // client: where the request began in the link's bytes; server: when
                              // it arrived, wall clock in ns
  std::uint64_t ordinal = 0;  // client: its place in the order of requests sent, from 1
  std::unique_ptr<Flow> flow;
  std::uint32_t id = 0;  // of this use, or of the last one
  std::uint32_t next_free = 0;
  std::uint32_t pinned =
      0;  // server: bytes of the request's payload, until the handler has replied
  std::uint16_t bits = 0;

  bool has(std::uint16_t bit) const noexcept { return (bits & bit) != 0; }
  void set(std::uint16_t bit) noexcept { bits = static_cast<std::uint16_t>(bits | bit); }
  bool waits() const noexcept { return flow != nullptr && flow->first != nullptr; }
};
static_assert(sizeof(Stream) <= 128);

// One thread at a time.
class StreamTable {
 public:
  // Ids carry `server_side`, whether this table's streams are opened here or by the peer.
  explicit StreamTable(bool server_side) noexcept : server_side_(server_side) {}

  // Slots 1 to `slots` may be used.
  void set_limit(std::uint32_t slots) noexcept { limit_ = slots; }
  std::uint32_t limit() const noexcept { return limit_; }

  // For the side that opens: a free slot under its next generation, or null.
  Stream* allocate();

  enum class Claim : std::uint8_t {
    ok,
    bad_id,  // wrong side or beyond the limit
    in_use,
    stale,  // a generation that this slot has had
  };
  // For the side that accepts.  With `any_generation` a repeated one is taken.
  Claim claim(std::uint32_t id, bool any_generation, Stream*& out);

  // The open stream of exactly this id, or null.
  Stream* find(std::uint32_t id) noexcept {
    Stream* stream = at(wire::StreamId{id}.slot());
    return stream != nullptr && stream->id == id && stream->has(kOpen) ? stream : nullptr;
  }
  // True if the slot has been used under any generation.
  bool was_used(std::uint32_t id) noexcept {
    const wire::StreamId stream_id{id};
    const Stream* stream = at(stream_id.slot());
    return stream_id.server_side() == server_side_ && stream != nullptr && stream->id != 0;
  }
  // Frees the slot; its Flow must be gone.
  void release(Stream& stream) noexcept;

  std::size_t open() const noexcept { return open_; }

  // Calls `function(Stream&)` for each open stream.  It may open and release streams.
  template <class Function>
  void for_each_open(Function&& function) {
    for (std::size_t c = 0; c < chunks_.size(); ++c) {
      if (chunks_[c] == nullptr) continue;
      Chunk& chunk = *chunks_[c];
      for (Stream& stream : chunk) {
        if (stream.has(kOpen)) function(stream);
      }
    }
  }

 private:
  static constexpr std::uint32_t kChunkBits = 5;
  static constexpr std::uint32_t kChunkStreams = 1u << kChunkBits;
  using Chunk = std::array<Stream, kChunkStreams>;

  Stream* at(std::uint32_t slot) noexcept {
    const std::uint32_t chunk = slot >> kChunkBits;
    if (chunk >= chunks_.size() || chunks_[chunk] == nullptr) return nullptr;
    return &(*chunks_[chunk])[slot % kChunkStreams];
  }
  Stream& make(std::uint32_t slot);
  void begin(Stream& stream, std::uint32_t id) noexcept;

  bool server_side_;
  std::uint32_t limit_ = 0;
  std::uint32_t next_fresh_ = wire::kFirstSlot;
  std::uint32_t first_free_ = 0;  // 0: none, as slot 0 is not used
  std::size_t open_ = 0;
  std::vector<std::unique_ptr<Chunk>> chunks_;
};

}  // namespace spanwire::session
