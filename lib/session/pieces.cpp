// Bodies in pieces, on their way in.
#include <algorithm>
#include <cstring>

#include "lib/session/parts.hpp"
#include "spanwire/wire/v1.hpp"

namespace spanwire::session {

using wire::FrameType;

MutableByteView Session::place(const wire::FrameHeader& header) noexcept {
  Stream* stream = streams_.find(header.stream_id);
  if (stream == nullptr || stream->flow == nullptr) return {};
  Assembly& assembly = stream->flow->assembly;
  if (!assembly.active || assembly.dropped || assembly.type != header.type ||
      header.body_bytes > assembly.missing()) {
    return {};
  }
  // The stream may end before the piece has come.
  if (placed_ != nullptr) placed_->release();
  placed_ = assembly.payload;
  placed_->retain();
  return {assembly.payload->data() + assembly.filled, header.body_bytes};
}

void Session::begin_assembly(Stream& stream, const wire::FrameHeader& header, MessageParts& parts) {
  Assembly& assembly = flow_of(stream).assembly;
  assembly = Assembly{};
  assembly.active = true;
  assembly.type = header.type;
  assembly.flags = header.flags;
  assembly.payload_bytes = parts.payload_bytes;
  assembly.filled = parts.payload.size();
  // Also of a body that is thrown away: until it has ended it keeps others from being sent.
  if (header.type == static_cast<std::uint8_t>(FrameType::data)) lend(stream);
  const bool unwanted = stream.has(kDeaf) || (client() && stream.user == nullptr);
  const bool affordable = room_for(parts.payload_bytes);
  if (unwanted || !affordable) assembly.dropped = true;
  if (!unwanted && !affordable) return refuse_assembly(stream, header);
  if (!assembly.dropped) {
    Buffer fields(parts.first.size() + parts.headers.size());
    fields.append(parts.first);
    fields.append(parts.headers);
    assembly.fields = fields.take();
    assembly.first_bytes = parts.first.size();
    assembly.payload = Block::make(parts.payload_bytes);
    hold(parts.payload_bytes);
    if (!parts.payload.empty()) {
      std::memcpy(assembly.payload->data(), parts.payload.data(), parts.payload.size());
    }
  }
  if (assembly.missing() == 0) complete_assembly(stream);
}

// No memory for it: this body is lost, the connection goes on.
void Session::refuse_assembly(Stream& stream, const wire::FrameHeader& header) {
  ++counters_.over_budget;
  switch (static_cast<FrameType>(header.type)) {
    case FrameType::request:
      return refuse(stream, Errc::out_of_memory_budget);
    case FrameType::reply: {
      void* const user = stream.user;
      stream.user = nullptr;
      if (user != nullptr) {
        events_.on_lost(user, Error(Errc::out_of_memory_budget), Progress::started);
      }
      return;
    }
    default:
      return give_up_receiving(stream, Errc::out_of_memory_budget);
  }
}

// A message whose rest is more than the credit that is left might never arrive: its reader can
// grant nothing before it has all of it.  So the difference is given ahead, and kept back from what
// is granted later.
void Session::lend(Stream& stream) {
  Flow& flow = *stream.flow;
  const auto credit = static_cast<std::uint64_t>(flow.receive_credit);
  const std::uint64_t missing = flow.assembly.missing();
  if (missing <= credit) return;
  flow.lent += missing - credit;
  give_stream_credit(stream, missing - credit);
}

void Session::on_piece(wire::InFrame& frame) {
  const wire::FrameHeader& header = frame.header;
  Stream* stream = streams_.find(header.stream_id);
  if (frame.placed) {
    placed_->release();
    placed_ = nullptr;
  }
  if (stream == nullptr) return on_unknown_stream(header.stream_id);
  if (stream->flow == nullptr || !stream->flow->assembly.active) {
    // Of a body that was refused or broken off.
    if (!stream->has(kCancelled | kReplied | kDeaf)) return fail(Errc::bad_piece);
    ++counters_.late_frames;
    return;
  }
  const bool is_data = header.type == static_cast<std::uint8_t>(FrameType::data);
  if (is_data && !take_stream_credit(*stream->flow, static_cast<std::int64_t>(header.body_bytes)))
    return;
  Assembly& assembly = stream->flow->assembly;
  if (assembly.type != header.type || frame.body.size() > assembly.missing()) {
    return fail(Errc::bad_piece);
  }
  if (!frame.placed && !assembly.dropped) {
    std::memcpy(assembly.payload->data() + assembly.filled, frame.body.data(), frame.body.size());
  }
  assembly.filled += frame.body.size();
  if (assembly.missing() == 0) complete_assembly(*stream);
}

void Session::complete_assembly(Stream& stream) {
  Assembly assembly = std::move(stream.flow->assembly);
  stream.flow->assembly = Assembly{};
  if (assembly.dropped) {
    if (assembly.type == static_cast<std::uint8_t>(FrameType::reply)) free_stream(stream);
    return;
  }
  const bool request = assembly.type == static_cast<std::uint8_t>(FrameType::request);
  if (request) {
    stream.pinned = static_cast<std::uint32_t>(assembly.payload_bytes);
  } else {
    unhold(assembly.payload_bytes);
  }
  MessageParts parts;
  parts.first = assembly.fields.view().first(assembly.first_bytes);
  parts.headers = assembly.fields.view().subspan(assembly.first_bytes);
  parts.payload_bytes = assembly.payload_bytes;
  parts.owned = Slice::adopt(assembly.payload, assembly.payload->data(), assembly.payload_bytes);
  parts.payload = parts.owned.view();
  switch (static_cast<FrameType>(assembly.type)) {
    case FrameType::request:
      return dispatch(stream, parts);
    case FrameType::reply:
      // Was in order when the first piece came.
      parts.reply = *wire::decode_reply_fixed(parts.first);
      return deliver_reply(stream, assembly.flags, parts);
    default:
      // The total in front of the first piece used credit too and is nobody's to read.
      owe_stream_credit(stream, wire::kPiecesTotalBytes);
      return deliver_data(stream, parts);
  }
}

void Session::drop_assembly(Stream& stream) noexcept {
  if (stream.flow == nullptr || !stream.flow->assembly.active) return;
  Assembly& assembly = stream.flow->assembly;
  assembly.dropped = true;
  assembly.fields = Slice();
  if (assembly.payload == nullptr) return;
  assembly.payload->release();
  assembly.payload = nullptr;
  unhold(assembly.payload_bytes);
}

}  // namespace spanwire::session
