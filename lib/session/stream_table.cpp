#include "spanwire/session/stream_table.hpp"

#include "spanwire/base/assert.hpp"

namespace spanwire::session {
namespace {

// Half of the generations are ahead of the last one, the other half behind it.
constexpr std::uint32_t kGenerationsAhead = (wire::kGenerationMax + 1) / 2;

}  // namespace

Stream& StreamTable::make(std::uint32_t slot) {
  const std::uint32_t chunk = slot >> kChunkBits;
  if (chunk >= chunks_.size()) chunks_.resize(chunk + 1);
  if (chunks_[chunk] == nullptr) chunks_[chunk] = std::make_unique<Chunk>();
  return (*chunks_[chunk])[slot % kChunkStreams];
}

void StreamTable::begin(Stream& stream, std::uint32_t id) noexcept {
  stream.id = id;
  stream.bits = kOpen;
  stream.user = nullptr;
  stream.mark = 0;
  stream.pinned = 0;
  stream.ordinal = 0;
  ++open_;
}

Stream* StreamTable::allocate() {
  if (first_free_ != 0) {
    Stream& stream = *at(first_free_);
    if (first_free_ > limit_) return nullptr;
    const std::uint32_t slot = first_free_;
    first_free_ = stream.next_free;
    const std::uint32_t generation = wire::StreamId{stream.id}.generation() + 1;
    begin(stream, wire::StreamId::make(server_side_, slot, generation).raw);
    return &stream;
  }
  if (next_fresh_ > limit_) return nullptr;
  const std::uint32_t slot = next_fresh_++;
  Stream& stream = make(slot);
  begin(stream, wire::StreamId::make(server_side_, slot, 0).raw);
  return &stream;
}

StreamTable::Claim StreamTable::claim(std::uint32_t id, bool any_generation, Stream*& out) {
  const wire::StreamId stream_id{id};
  const std::uint32_t slot = stream_id.slot();
  if (stream_id.server_side() != server_side_ || slot < wire::kFirstSlot || slot > limit_) {
    return Claim::bad_id;
  }
  Stream& stream = make(slot);
  if (stream.id != 0) {
    const std::uint32_t ahead =
        (stream_id.generation() - wire::StreamId{stream.id}.generation()) & wire::kGenerationMax;
    if (ahead > kGenerationsAhead && !any_generation) return Claim::stale;
    if (stream.has(kOpen)) return Claim::in_use;
    if (ahead == 0 && !any_generation) return Claim::stale;
  }
  begin(stream, id);
  out = &stream;
  return Claim::ok;
}

void StreamTable::release(Stream& stream) noexcept {
  SPANWIRE_ASSERT(stream.has(kOpen) && stream.flow == nullptr);
  stream.bits = 0;
  stream.user = nullptr;
  stream.next_free = first_free_;
  first_free_ = wire::StreamId{stream.id}.slot();
  --open_;
}

}  // namespace spanwire::session
