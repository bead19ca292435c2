#include "lib/rpc/one_way_sender.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "lib/rpc/call_headers.hpp"
#include "lib/rpc/inside_subscribers.hpp"
#include "lib/rpc/message_spans.hpp"
#include "spanwire/base/counters.hpp"
#include "spanwire/base/log.hpp"
#include "spanwire/base/random.hpp"

namespace spanwire::rpc {
namespace {

constinit NamedCounter messages_sent("spanwire.zmq.messages_sent");
constinit NamedCounter messages_unsent("spanwire.zmq.messages_unsent");
constinit NamedCounter senders_disconnected("spanwire.zmq.senders_disconnected");
constinit NamedCounter slow_subscribers("spanwire.zmq.slow_subscribers");

transport::OneWayType type_of(OneWaySender::Kind kind) noexcept {
  return kind == OneWaySender::Kind::push ? transport::OneWayType::push
                                          : transport::OneWayType::publish;
}

std::string_view operation_of(OneWaySender::Kind kind) noexcept {
  return kind == OneWaySender::Kind::push ? "push" : "publish";
}

void finish(EncodedMessage& message, const Result<void>& sent) noexcept {
  (sent ? messages_sent : messages_unsent).add();
  if (!sent) fail_message_span(message.span, sent.error());
  message.span.end();
}

}  // namespace

OneWaySender::OneWaySender(Runtime& runtime, OneWayOptions options, Kind kind)
    : OneWayPort(runtime, std::move(options), type_of(kind)),
      Job(&OneWaySender::run_queue),
      Timer(&OneWaySender::look_timer_fired),
      kind_(kind),
      flight_(std::make_shared<transport::ZmqFlight>(loop(), this->options().zmq.flight_bytes_max,
                                                     &OneWaySender::flight_landed, this)),
      peer_subscriptions_(this->options().subscription_bytes_max) {}

Result<EncodedMessage> OneWaySender::encode(const trace::Context& context, const Path& path,
                                            Slice payload, const Headers& headers) {
  if (forked()) return fail(Errc::forked);
  const std::string_view text = path.text();
  if (!path.plain()) SPANWIRE_TRY_VOID(check_path(text));
  if (payload.size() > options().limits.payload_bytes_max) {
    return fail(Errc::payload_too_long, std::to_string(payload.size()) + " bytes");
  }
  if (!headers.empty()) SPANWIRE_TRY_VOID(check_user_headers(headers));
  EncodedMessage message;
  message.span = start_producer_span(context, {operation_of(kind_), text, payload.size()});
  CallHeaders block;
  block.write_message(context.with_span(message.span.context()), headers, kind_ == Kind::publish);
  if (block.failed() || block.view().size() > options().limits.header_block_bytes_max) {
    Error error = block.failed() ? block.error() : Error(Errc::headers_too_long);
    fail_message_span(message.span, error);
    return fail(std::move(error));
  }
  transport::copy_part(message.head[0], bytes_of(text));
  transport::copy_part(message.head[1], block.view());
  message.bytes = text.size() + block.view().size() + payload.size();
  message.payload = std::move(payload);
  return message;
}

Result<void> OneWaySender::try_send(const trace::Context& context, const Path& path, Slice payload,
                                    const Headers& headers) {
  SPANWIRE_TRY(EncodedMessage message, encode(context, path, std::move(payload), headers));
  if (!on_loop() || queue_used_.load(std::memory_order_acquire)) return enqueue(std::move(message));
  Result<void> sent = hand_over(message);
  finish(message, sent);
  return sent;
}

Task<Result<void>> OneWaySender::send(trace::Context context, Path path, Slice payload,
                                      Headers headers) {
  const std::shared_ptr<OneWayPort> keep = shared_from_this();
  SPANWIRE_CO_TRY(EncodedMessage message, encode(context, path, std::move(payload), headers));
  Result<void> sent;
  if (context.cancelled()) {
    sent = fail(context.cancel_reason());
  } else {
    // Who came first goes first.
    sent = senders_.empty() ? hand_over(message) : fail(Errc::queue_full);
  }
  if (!sent && (sent.error() == Errc::queue_full || sent.error() == Errc::out_of_memory_budget)) {
    PortWait wait(senders_, context.deadline(), &message);
    sent = co_await wait;
  }
  finish(message, sent);
  co_return sent;
}

// Leaves the message as it is where there is no room.
Result<void> OneWaySender::hand_over(EncodedMessage& message) {
  SPANWIRE_TRY_VOID(check_open());
  if (!message.payload_ready) {
    if (message.payload.size() < transport::kZmqCopyBelow) {
      transport::copy_part(message.last, message.payload.view());
    } else if (flight_->full()) {
      flight_->wait();
      if (kind_ == Kind::publish) watch_slow_peers();
      return fail(Errc::out_of_memory_budget, "libzmq holds " +
                                                  std::to_string(options().zmq.flight_bytes_max) +
                                                  " bytes of large payloads already");
    } else {
      message.last = flight_->take(std::move(message.payload));
    }
    message.payload_ready = true;
  }
  if (kind_ == Kind::publish) number(message);
  std::array<transport::ZmqPart, 3> parts = {std::move(message.head[0]), std::move(message.head[1]),
                                             std::move(message.last)};
  switch (socket().send(parts)) {
    case transport::ZmqSent::sent:
      return {};
    case transport::ZmqSent::full:
    case transport::ZmqSent::unreachable:
      message.head = {std::move(parts[0]), std::move(parts[1])};
      message.last = std::move(parts[2]);
      return fail(Errc::queue_full,
                  connections() == 0 ? "no peer is connected" : "the queue of every peer is full");
    default:
      return fail(Errc::connection_lost, "while the message was handed over");
  }
}

// The block begins with the row and the number: room for them was left.
void OneWaySender::number(EncodedMessage& message) {
  const std::string_view path = text_of(transport::part_bytes(message.head[0]));
  auto row = rows_.find(path);
  if (row == rows_.end()) {
    if (rows_.size() == kNumberedPathsMax) rows_.clear();
    row = rows_.emplace(path, Row{Random::of_thread().next_nonzero(), 1}).first;
  }
  write_sequence({row->second.id, row->second.next++},
                 reinterpret_cast<char*>(message.head[1].data()) + kSequenceOffset);
}

// ---- From other threads

Result<void> OneWaySender::enqueue(EncodedMessage message) {
  Result<void> queued;
  {
    const std::lock_guard lock(mutex_);
    if (ended_) {
      queued = fail(Errc::shutting_down);
    } else if (queue_.size() >= options().queued_messages_max) {
      queued = fail(Errc::queue_full, std::to_string(queue_.size()) + " messages wait already");
    } else if (queue_bytes_ + message.bytes > options().queued_bytes_max) {
      queued = fail(Errc::out_of_memory_budget, std::to_string(queue_bytes_) + " bytes wait");
    } else {
      queue_bytes_ += message.bytes;
      queue_.push_back(std::move(message));
      queue_used_.store(true, std::memory_order_release);
      if (!queue_posted_) {
        queue_posted_ = true;
        keep_ = shared_from_this();
        loop().post(*this);
      }
      return {};
    }
  }
  finish(message, queued);
  return queued;
}

void OneWaySender::run_queue(Job* job) noexcept {
  auto* const self = static_cast<OneWaySender*>(job);
  std::shared_ptr<OneWayPort> keep;
  {
    const std::lock_guard lock(self->mutex_);
    self->queue_posted_ = false;
    keep = std::move(self->keep_);
  }
  self->serve();
}

bool OneWaySender::take_queued(EncodedMessage& message) {
  const std::lock_guard lock(mutex_);
  if (queue_.empty()) {
    queue_used_.store(false, std::memory_order_release);
    return false;
  }
  message = std::move(queue_.front());
  queue_.pop_front();
  queue_bytes_ -= message.bytes;
  return true;
}

void OneWaySender::give_back(EncodedMessage message) {
  const std::lock_guard lock(mutex_);
  queue_bytes_ += message.bytes;
  queue_.push_front(std::move(message));
}

bool OneWaySender::no_room(const Result<void>& sent) const noexcept {
  return !sent && open() &&
         (sent.error() == Errc::queue_full || sent.error() == Errc::out_of_memory_budget);
}

// What waits, as far as there is room.  Nobody that waits runs in here.
void OneWaySender::serve() {
  EncodedMessage message;
  while (take_queued(message)) {
    const Result<void> sent = hand_over(message);
    // A publisher's peers never hold it up: there, what does not fit is refused.
    if (no_room(sent) && kind_ == Kind::push) return give_back(std::move(message));
    finish(message, sent);
  }
  while (PortWait* wait = senders_.first()) {
    const Result<void> sent = hand_over(*static_cast<EncodedMessage*>(wait->what()));
    if (no_room(sent)) return;
    wait->end_later(sent ? Error() : sent.error());
  }
}

void OneWaySender::on_zmq_ready() {
  if (kind_ == Kind::publish) read_subscriptions();
  serve();
}

void OneWaySender::flight_landed(void* self) noexcept { static_cast<OneWaySender*>(self)->serve(); }

void OneWaySender::on_connection_lost() {
  senders_disconnected.add();
  if (kind_ == Kind::publish) return;
  log_warn("a connection of a pusher broke: messages that it held may be lost",
           {{"connections", connections()}});
}

// ---- Who holds everybody up

// The room for large payloads is one, and what a subscriber does not take stays in it.
void OneWaySender::watch_slow_peers() {
  // Who has taken nothing since it was found to be slow is not waited for again.
  visit_inside(inside_names(), [&](InsideSubscriber& inside) {
    const auto known = slow_inside_.find(inside.number());
    if (known != slow_inside_.end() && known->second == inside.bytes_taken()) inside.make_room();
  });
  if (!Timer::armed()) look_for_slow_peers();
}

void OneWaySender::look_for_slow_peers() {
  transport::ZmqSlowPeers::Readings readings;
  for (const int fd : standing()) readings[fd] = transport::read_connection(fd);
  // What waits in there is not told: one that takes nothing while there is no room is the one.
  visit_inside(inside_names(), [&](InsideSubscriber& inside) {
    readings[inside.number()] = {1, inside.bytes_taken()};
  });
  const std::vector<int> slow = slow_peers_.look(std::move(readings));
  slow_inside_.clear();
  visit_inside(inside_names(), [&](InsideSubscriber& inside) {
    if (std::find(slow.begin(), slow.end(), inside.number()) == slow.end()) return;
    slow_inside_[inside.number()] = inside.bytes_taken();
    inside.make_room();
  });
  for (const int fd : slow) {
    if (fd < 0) continue;
    slow_subscribers.add();
    log_warn(
        "a slow subscriber was disconnected: it kept the room that all share full",
        {{"peer", transport::peer_text(fd)}, {"flight_bytes_max", options().zmq.flight_bytes_max}});
    transport::hang_up(fd);
  }
  loop().timers().add(*this, loop().now() + kSlowSubscriberLook);
}

void OneWaySender::look_timer_fired(Timer* timer) noexcept {
  auto* const self = static_cast<OneWaySender*>(timer);
  const std::shared_ptr<OneWayPort> keep = self->shared_from_this();
  if (self->flight_->roomy()) return self->slow_peers_.forget();
  self->look_for_slow_peers();
}

void OneWaySender::on_closing(const Error& cause) {
  serve();
  loop().timers().remove(*this);
  flood_watch_.reset();
  senders_.end_all(cause);
  subscriber_waits_.end_all(cause);
  flight_->abandon();
  std::deque<EncodedMessage> left;
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    left.swap(queue_);
    queue_bytes_ = 0;
  }
  for (EncodedMessage& message : left) finish(message, fail(cause));
  if (!left.empty()) {
    log_warn("a pusher was closed with messages that nobody took", {{"messages", left.size()}});
  }
}

}  // namespace spanwire::rpc
