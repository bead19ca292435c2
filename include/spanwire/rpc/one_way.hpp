// One-way messages over ZeroMQ: Pusher to Puller, each message to one of them; Publisher to
// Subscriber, each to all that asked for its path.  Wire: proto-spec/multipart.md, section 3.
//
// A message carries path, headers and payload, and its sender's trace: sending makes a producer
// span, receiving a consumer span under it.  At most once: what a connection held when it broke is
// lost.  What a Publisher's peers missed they count; what a Pusher cannot hand over is an error.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "spanwire/base/result.hpp"
#include "spanwire/base/slice.hpp"
#include "spanwire/base/task.hpp"
#include "spanwire/rpc/path.hpp"
#include "spanwire/rpc/reply.hpp"
#include "spanwire/rpc/runtime.hpp"
#include "spanwire/trace/carrier.hpp"
#include "spanwire/trace/context.hpp"
#include "spanwire/trace/span.hpp"
#include "spanwire/transport/zmq.hpp"
#include "spanwire/wire/limits.hpp"

namespace spanwire::rpc {

// Messages of one batch: as many as a span has links by default.
inline constexpr std::size_t kBatchMessagesMax = 128;
// Paths whose messages a Publisher numbers; with one more it begins new rows of numbers.
inline constexpr std::size_t kNumberedPathsMax = 4'096;
// Rows of numbers that a Subscriber follows; with one more it begins anew.
inline constexpr std::size_t kFollowedRowsMax = 65'536;

// Prefixes that a Publisher counts the subscriptions of; one more, or one of this process that is
// longer than a path may be, is served and not counted ("spanwire.zmq.subscriptions_ignored").
inline constexpr std::size_t kSubscribedPrefixesMax = 65'536;
// Prefixes of all peers of a Publisher, and 64 bytes for each.
inline constexpr std::size_t kSubscriptionBytesMax = 4u << 20;
// While the room for large payloads is full, a Publisher looks so often who keeps it so.
inline constexpr std::chrono::nanoseconds kSlowSubscriberLook = std::chrono::seconds(1);

struct OneWayOptions {
  // zmq+tcp://, zmq+ipc:// and zmq+inproc:// addresses to listen on.  Either side may listen.
  std::vector<std::string> listens;
  // And to connect to; at least one of both.
  std::vector<std::string> connects;
  // Messages for, and of, one peer that libzmq holds; heartbeats, keys; linger: how long what was
  // handed to libzmq may still be written after the object has gone.
  transport::ZmqOptions zmq;
  // Sender: messages from other threads than its loop's that wait to be handed to libzmq.
  std::size_t queued_messages_max = 10'000;
  // Sender: their bytes.
  std::size_t queued_bytes_max = wire::kQueuedBytesPerConnectionMax;
  // Publisher: what peers of other processes subscribe to all together, in bytes of prefixes, each
  // with 64 more; libzmq needs up to 64 times as much memory for it.  With more, the peer that has
  // most is disconnected ("spanwire.zmq.greedy_subscribers"); so are zmq+tcp peers that bring more
  // while libzmq, busy with that, lets nothing else run ("spanwire.zmq.subscriber_floods").  A
  // prefix longer than a path may be ends its connection.
  std::size_t subscription_bytes_max = kSubscriptionBytesMax;
  // Pause before a connection is tried again: doubles up to the last, with 20 % jitter.
  std::chrono::nanoseconds reconnect_first = std::chrono::milliseconds(100);
  // The longest such pause.
  std::chrono::nanoseconds reconnect_last = std::chrono::seconds(10);
  // A connection that has not introduced itself by then is closed.
  std::chrono::nanoseconds handshake_timeout = wire::kHandshakeTimeout;
  // Receiver: what a sender's context becomes.
  trace::TrustRemote trust = trace::TrustRemote::parent;
  // Path, header block and payload sizes.
  wire::Limits limits;

  OneWayOptions& listen(std::string address) {
    listens.push_back(std::move(address));
    return *this;
  }
  OneWayOptions& connect(std::string address) {
    connects.push_back(std::move(address));
    return *this;
  }
};

// A message that came in.  Its consumer span ends with it, or with end().  Movable to any thread;
// one at a time.
class Message {
 public:
  Message() noexcept = default;

  std::string_view path() const noexcept { return front_.text().substr(0, path_bytes_); }
  const Slice& payload() const& noexcept { return payload_; }
  Slice payload() && noexcept { return std::move(payload_); }
  // Parsed on each call: keep the result when several are looked up.
  Headers headers() const;
  // What calls on behalf of this message take: under the consumer span; in a batch, under the
  // sender's span.
  const trace::Context& context() const noexcept { return context_; }
  // Records nothing in a batch: see MessageBatch::span().
  trace::Span& span() noexcept { return span_; }
  void end() noexcept { span_.end(); }
  // Subscriber: messages of this path that were dropped right before this one.
  std::uint64_t missed() const noexcept { return missed_; }

 private:
  friend class OneWayReceiver;
  ByteView header_block() const noexcept { return front_.view().subspan(path_bytes_); }

  Slice front_;  // path, then header block
  std::size_t path_bytes_ = 0;
  Slice payload_;
  trace::Context context_;
  trace::Span span_;
  std::uint64_t missed_ = 0;
};
static_assert(AsyncValue<Message>);

// Messages that were taken together, under one consumer span with a link to each sender's span.
class MessageBatch {
 public:
  MessageBatch() noexcept = default;
  std::vector<Message>& messages() noexcept { return messages_; }
  std::size_t size() const noexcept { return messages_.size(); }
  // The context of work on all of them.
  const trace::Context& context() const noexcept { return context_; }
  trace::Span& span() noexcept { return span_; }

 private:
  friend class OneWayReceiver;
  std::vector<Message> messages_;
  trace::Context context_;
  trace::Span span_;
};
static_assert(AsyncValue<MessageBatch>);

// What the four have in common.  Safe from any thread, except for start() and the destructor.
class OneWaySocket {
 public:
  OneWaySocket(const OneWaySocket&) = delete;
  OneWaySocket& operator=(const OneWaySocket&) = delete;

  // Listens and connects.  From a thread that is not the runtime's, or on its only loop.  Fails
  // with bad_address, invalid_argument (no address, half of a key configuration), listen_failed,
  // already_exists, path_too_long (a subscriber's prefix), not_found and the like of key files,
  // forked, would_deadlock.
  Result<void> start();
  // Where it listens, with the ports that the system gave, in the options' order.
  std::vector<std::string> addresses() const;
  // co_await: until a peer is connected (inside one process: at once).  Fails with the context's
  // deadline, saying why the last attempt failed, with cancelled, and at once where no attempt can
  // succeed: security_mismatch, security_refused, security_failed (the second time).
  Task<Result<void>> connected(trace::Context context);
  Result<void> connected_blocking(trace::Context context);
  // What the destructor does, once: takes nothing more, hands over what there is room for.  What
  // libzmq holds is written for `timeout` more, where ZmqOptions::linger does not say less; the end
  // of the runtime waits for that.  Waits until the socket is closed, unless it is called on a
  // loop.
  void close(std::chrono::nanoseconds timeout);

 protected:
  explicit OneWaySocket(std::shared_ptr<class OneWayPort> port) noexcept;
  ~OneWaySocket();
  std::shared_ptr<class OneWayPort> port_;
};

// Sends each message to one Puller, in turn among those that have room.
//
// Errors of sending: queue_full (every peer's queue is, or nobody is connected),
// out_of_memory_budget, path_too_long, path_not_utf8, payload_too_long, headers_too_long,
// invalid_argument (a reserved header), cancelled, deadline_exceeded, shutting_down, forked.
class Pusher : public OneWaySocket {
 public:
  explicit Pusher(Runtime& runtime, OneWayOptions options);

  // Never waits.  From any thread: on another than the socket's loop the message goes through a
  // queue of bounded length.
  Result<void> try_push(const trace::Context& context, const Path& path, Slice payload,
                        const Headers& headers = {});
  // co_await: waits for room, until the context's deadline.
  Task<Result<void>> push(trace::Context context, Path path, Slice payload, Headers headers = {});
  // From a thread that is not the runtime's.
  Result<void> push_blocking(trace::Context context, Path path, Slice payload,
                             Headers headers = {});
};

// Sends each message to every Subscriber that asked for its path.  One that is slow loses messages,
// and counts them.  Payloads of 4 KiB and more share ZmqOptions::flight_bytes_max until all have
// taken them: while that is full, publish() fails with out_of_memory_budget, and a subscriber that
// took nothing from one look to the next (kSlowSubscriberLook), or much less than the others, is
// disconnected ("spanwire.zmq.slow_subscribers"): it comes back, and counts what it missed.  Inside
// one process (zmq+inproc) there is no connection to end: there such a subscriber loses what waits
// for it and nobody receives ("spanwire.zmq.slow_subscribers_inside"), unless its loop is held.
class Publisher : public OneWaySocket {
 public:
  explicit Publisher(Runtime& runtime, OneWayOptions options);

  // Never waits; from any thread.  Fails as Pusher::try_push, but with queue_full only for the
  // queue of other threads.
  Result<void> publish(const trace::Context& context, const Path& path, Slice payload,
                       const Headers& headers = {});
  // Subscriptions that a message of this path goes to now.
  std::size_t subscriptions(std::string_view path) const;
  // co_await: until that are at least `count`, so that nobody misses the first message.
  Task<Result<void>> wait_for_subscribers(trace::Context context, std::string path,
                                          std::size_t count);
  Result<void> wait_for_subscribers_blocking(trace::Context context, std::string path,
                                             std::size_t count);
};

// Receiving.  What is damaged or too large is counted ("spanwire.zmq.refused." and the error's
// name), logged and skipped; damaged headers cost themselves ("spanwire.zmq.bad_header_blocks").
// Who does not receive holds its senders up (Puller) or loses messages (Subscriber): nothing piles
// up here.
class OneWayInput : public OneWaySocket {
 public:
  // co_await: the next message.  Fails with cancelled, shutting_down.
  Task<Result<Message>> receive();
  // co_await: at least one and at most `messages_max` (itself at most kBatchMessagesMax), as many
  // as are there.  The batch's span is under `context`.
  Task<Result<MessageBatch>> receive_batch(trace::Context context, std::size_t messages_max);
  // From a thread that is not the runtime's.
  Result<Message> receive_blocking();
  Result<MessageBatch> receive_batch_blocking(trace::Context context, std::size_t messages_max);

 protected:
  using OneWaySocket::OneWaySocket;
  ~OneWayInput() = default;
};

class Puller : public OneWayInput {
 public:
  explicit Puller(Runtime& runtime, OneWayOptions options);
};

class Subscriber : public OneWayInput {
 public:
  // Paths that begin with one of `prefixes`; "" is every path.
  Subscriber(Runtime& runtime, OneWayOptions options, std::vector<std::string> prefixes);
  // Messages that publishers sent and that did not come, so far: dropped because this side was
  // slow, or sent while it was not connected.
  std::uint64_t missed() const noexcept;
};

}  // namespace spanwire::rpc
