#include "lib/rpc/one_way_receiver.hpp"

#include <algorithm>
#include <utility>

#include "lib/rpc/hop.hpp"
#include "lib/rpc/message_spans.hpp"
#include "lib/rpc/shown_path.hpp"
#include "lib/transport/zmq/message.hpp"
#include "spanwire/base/counters.hpp"
#include "spanwire/base/log.hpp"
#include "spanwire/trace/wire_carrier.hpp"
#include "spanwire/wire/multipart.hpp"
#include "spanwire/wire/utf8.hpp"

namespace spanwire::rpc {
namespace {

constinit NamedCounter messages_received("spanwire.zmq.messages_received");
constinit NamedCounter messages_missed("spanwire.zmq.messages_missed");
constinit NamedCounter sequence_breaks("spanwire.zmq.sequence_breaks");
constinit NamedCounter bad_header_blocks("spanwire.zmq.bad_header_blocks");
constinit NamedCounter slow_inside("spanwire.zmq.slow_subscribers_inside");

// A larger gap is not one: the sender counts otherwise than we think.
constexpr std::uint64_t kGapMax = std::uint64_t{1} << 32;
// Damaged messages in a row before others get their turn.
constexpr int kRefusedPerTurn = 512;
// Messages that are dropped in one go, to make room.
constexpr std::size_t kDroppedPerTurn = 4'096;
constexpr std::size_t kPartsOfOneWay = 3;
constexpr std::string_view kOperation = "receive";

}  // namespace

OneWayReceiver::OneWayReceiver(Runtime& runtime, OneWayOptions options, Kind kind,
                               std::vector<std::string> prefixes)
    : OneWayPort(
          runtime, std::move(options),
          kind == Kind::pull ? transport::OneWayType::pull : transport::OneWayType::subscribe),
      Job(&OneWayReceiver::run_make_room),
      kind_(kind),
      prefixes_(std::move(prefixes)) {}

Result<void> OneWayReceiver::prepare(transport::ZmqSocket& socket) {
  if (kind_ == Kind::pull) return {};
  if (prefixes_.empty()) return fail(Errc::invalid_argument, "a subscriber without a prefix");
  for (const std::string& prefix : prefixes_) {
    if (prefix.size() > options().limits.path_bytes_max) {
      return fail(Errc::path_too_long, "a prefix of " + std::to_string(prefix.size()) + " bytes");
    }
    SPANWIRE_TRY_VOID(transport::subscribe(socket, prefix));
  }
  return {};
}

void OneWayReceiver::on_zmq_ready() {
  socket().rest();
  while (PortWait* wait = receivers_.first()) wait->end_later({});
}

void OneWayReceiver::on_opened() {
  if (kind_ == Kind::subscribe) add_inside(inside_names(), *this);
}

void OneWayReceiver::on_closing(const Error& cause) {
  remove_inside(*this);
  receivers_.end_all(cause);
}

// ---- A publisher of this process needs the room that our messages take

void OneWayReceiver::make_room() {
  if (room_asked_for_.exchange(true)) return;
  keep_ = shared_from_this();
  loop().post(*this);
}

void OneWayReceiver::run_make_room(Job* job) noexcept {
  auto* const self = static_cast<OneWayReceiver*>(job);
  const std::shared_ptr<OneWayPort> keep = std::move(self->keep_);
  self->room_asked_for_ = false;
  self->drop_unread();
}

void OneWayReceiver::drop_unread() {
  // Whoever waits takes what there is.
  if (!open() || !receivers_.empty()) return;
  Message message;
  std::size_t dropped = 0;
  for (; dropped < kDroppedPerTurn && take_good(message); ++dropped) note_dropped(message);
  if (dropped == 0) return;
  slow_inside.add();
  log_warn("a slow subscriber of this process lost messages: it kept the room that all share full",
           {{"messages", dropped}});
}

// Its number stays missing, so that the next message of its path says what was lost before it.
void OneWayReceiver::note_dropped(const Message& message) {
  if (headers_.parse(message.header_block()) != Errc::ok) return bad_header_blocks.add();
  const wire::Header* header = headers_.find(wire::WellKnown::spanwire_sequence);
  if (header == nullptr) return;
  const std::optional<Sequence> sequence = parse_sequence(header->value);
  if (!sequence) return sequence_breaks.add();
  if (rows_.size() < kFollowedRowsMax) rows_.try_emplace(sequence->row, sequence->number - 1);
}

// One message, if there is one; a damaged one is refused and skipped.
bool OneWayReceiver::take_good(Message& message) {
  for (int refused = 0; socket().receive(incoming_); ++refused) {
    const Result<void> adopted = adopt(message);
    if (adopted) return true;
    refuse(adopted.error().code());
    if (refused == kRefusedPerTurn) {
      socket().look_again();
      return false;
    }
  }
  return false;
}

// In one piece of memory, but for a large payload, which stays where it lies in libzmq's.
Result<void> OneWayReceiver::adopt(Message& message) {
  const std::span<transport::ZmqPart> parts = incoming_.parts();
  if (incoming_.surplus() != 0 || parts.size() != kPartsOfOneWay) {
    return fail(Errc::wrong_part_count);
  }
  const ByteView path = transport::part_bytes(parts[0]);
  const ByteView headers = transport::part_bytes(parts[1]);
  std::array<Slice, kPartsOfOneWay> slices = {Slice::adopt(nullptr, path.data(), path.size()),
                                              Slice::adopt(nullptr, headers.data(), headers.size()),
                                              transport::slice_of(parts[2])};
  SPANWIRE_TRY_VOID(wire::decode_one_way(slices, options().limits));
  Slice& payload = slices[2];
  const bool lent = payload.size() >= transport::kZmqCopyBelow;
  const std::size_t front_bytes = path.size() + headers.size();
  Buffer all(front_bytes + (lent ? 0 : payload.size()));
  all.append(path);
  all.append(headers);
  if (!lent) all.append(payload.view());
  message.front_ = all.take();
  message.path_bytes_ = path.size();
  message.payload_ = lent ? std::move(payload) : message.front_.part(front_bytes, payload.size());
  message.front_.narrow(0, front_bytes);
  return {};
}

void OneWayReceiver::refuse(Errc cause) {
  counter("spanwire.zmq.refused." + std::string(name(cause))).add();
  const std::span<transport::ZmqPart> parts = incoming_.parts();
  const ByteView path = transport::part_bytes(parts[0]);
  log_warn("a one-way message was refused",
           {{"error", cause},
            {"peer", transport::peer_of(parts)},
            {"parts", parts.size() + incoming_.surplus()},
            {"path", wire::valid_utf8(path) ? shown_path(text_of(path)) : std::string()}});
}

trace::Extracted OneWayReceiver::read_sender(const Message& message) {
  // A damaged block costs what is damaged of it, not the message.
  if (headers_.parse(message.header_block()) != Errc::ok) bad_header_blocks.add();
  messages_received.add();
  const std::size_t bytes = message.front_.size() + message.payload_.size();
  bytes_taken_.store(bytes_taken() + bytes, std::memory_order_relaxed);  // written here alone
  return trace::extract(headers_, options().trust);
}

void OneWayReceiver::note_number(Message& message) {
  const wire::Header* header = headers_.find(wire::WellKnown::spanwire_sequence);
  if (kind_ == Kind::pull || header == nullptr) return;
  const std::optional<Sequence> sequence = parse_sequence(header->value);
  if (!sequence) return sequence_breaks.add();
  if (rows_.size() == kFollowedRowsMax && !rows_.contains(sequence->row)) rows_.clear();
  const auto [row, is_new] = rows_.try_emplace(sequence->row, sequence->number);
  if (is_new) return;
  const std::uint64_t gap = sequence->number - row->second - 1;
  if (sequence->number <= row->second || gap > kGapMax) {
    sequence_breaks.add();
  } else if (gap != 0) {
    message.missed_ = gap;
    missed_.fetch_add(gap, std::memory_order_relaxed);
    messages_missed.add(static_cast<std::int64_t>(gap));
    log_warn("published messages were missed",
             {{"path", shown_path(message.path())}, {"missed", gap}});
  }
  row->second = sequence->number;
}

Task<Result<void>> OneWayReceiver::wait_for_message() {
  PortWait wait(receivers_, MonotonicTime{});
  co_return co_await wait;
}

// Its consumer span, and what was lost before it.
void OneWayReceiver::introduce(Message& message) {
  const trace::Extracted sender = read_sender(message);
  note_number(message);
  trace::Context parent = sender.context();
  message.span_ =
      start_consumer_span(sender, parent, {kOperation, message.path(), message.payload_.size()});
  if (message.missed_ != 0 && message.span_.recording()) {
    message.span_.set("spanwire.messages_missed", static_cast<std::int64_t>(message.missed_));
  }
  message.context_ = std::move(parent).with_span(message.span_.context());
}

// One frame on the loop itself: a message costs little more than that.
Task<Result<Message>> OneWayReceiver::receive(std::shared_ptr<OneWayPort> port) {
  if (port->forked()) co_return fail(Errc::forked);
  if (!port->on_loop()) {
    Task<Result<Message>> there = receive(port);
    co_return co_await run_on(port->loop(), std::move(there));
  }
  auto& self = static_cast<OneWayReceiver&>(*port);
  Message message;
  for (;;) {
    SPANWIRE_CO_TRY_VOID(self.check_open());
    if (self.take_good(message)) break;
    SPANWIRE_CO_TRY_VOID(co_await self.wait_for_message());
  }
  self.introduce(message);
  co_return message;
}

Task<Result<MessageBatch>> OneWayReceiver::receive_batch(trace::Context context,
                                                         std::size_t messages_max) {
  const std::shared_ptr<OneWayPort> keep = shared_from_this();
  const std::size_t most = std::clamp<std::size_t>(messages_max, 1, kBatchMessagesMax);
  MessageBatch batch;
  for (;;) {
    SPANWIRE_CO_TRY_VOID(check_open());
    Message message;
    while (batch.messages_.size() < most && take_good(message)) {
      message.context_ = read_sender(message).context();
      note_number(message);
      batch.messages_.push_back(std::move(message));
      message = Message();
    }
    if (!batch.messages_.empty()) break;
    SPANWIRE_CO_TRY_VOID(co_await wait_for_message());
  }
  std::vector<trace::Link> links;
  links.reserve(batch.messages_.size());
  for (const Message& message : batch.messages_) {
    if (!message.context_.span().valid()) continue;
    links.push_back({message.context_.span(), message.context_.tracestate(), {}});
  }
  batch.span_ = start_batch_span(context, kOperation, links);
  if (batch.span_.recording()) {
    batch.span_.set("messaging.batch.message_count",
                    static_cast<std::int64_t>(batch.messages_.size()));
  }
  batch.context_ = context.with_span(batch.span_.context());
  co_return batch;
}

}  // namespace spanwire::rpc
