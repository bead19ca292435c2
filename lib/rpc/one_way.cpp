#include "spanwire/rpc/one_way.hpp"

#include "lib/rpc/hop.hpp"
#include "lib/rpc/one_way_receiver.hpp"
#include "lib/rpc/one_way_sender.hpp"
#include "lib/transport/zmq/options.hpp"
#include "spanwire/base/blocking.hpp"
#include "spanwire/base/fork.hpp"

namespace spanwire::rpc {
namespace {

// Awaits the task on the port's loop, from wherever that is awaited.
template <class T>
Task<T> on_loop_of(std::shared_ptr<OneWayPort> port, Task<T> task) {
  if (port->forked()) co_return fail(Errc::forked);
  if (port->on_loop()) co_return co_await std::move(task);
  co_return co_await run_on(port->loop(), std::move(task));
}

template <class T>
T blocking_on(OneWayPort& port, Task<T> task) {
  if (port.forked()) return fail(Errc::forked);
  return block_on(port.loop(), std::move(task));
}

OneWaySender& sender(const std::shared_ptr<OneWayPort>& port) noexcept {
  return static_cast<OneWaySender&>(*port);
}
OneWayReceiver& receiver(const std::shared_ptr<OneWayPort>& port) noexcept {
  return static_cast<OneWayReceiver&>(*port);
}

Task<std::size_t> count_subscriptions(const OneWaySender* port, std::string path) {
  co_return port->subscriptions(path);
}

}  // namespace

Headers Message::headers() const { return parse_headers(header_block()); }

// ---- OneWaySocket

OneWaySocket::OneWaySocket(std::shared_ptr<OneWayPort> port) noexcept : port_(std::move(port)) {}

OneWaySocket::~OneWaySocket() {
  if (port_->forked()) {
    keep_for_ever(std::move(port_));
    return;
  }
  port_->close(port_->options().zmq.linger);
}

void OneWaySocket::close(std::chrono::nanoseconds timeout) {
  port_->close(transport::shorter_linger(port_->options().zmq.linger, timeout));
}

Result<void> OneWaySocket::start() { return port_->start(); }

std::vector<std::string> OneWaySocket::addresses() const { return port_->addresses(); }

Task<Result<void>> OneWaySocket::connected(trace::Context context) {
  return on_loop_of(port_, port_->connected(std::move(context)));
}

Result<void> OneWaySocket::connected_blocking(trace::Context context) {
  return blocking_on(*port_, port_->connected(std::move(context)));
}

// ---- Senders

Pusher::Pusher(Runtime& runtime, OneWayOptions options)
    : OneWaySocket(
          std::make_shared<OneWaySender>(runtime, std::move(options), OneWaySender::Kind::push)) {}

Result<void> Pusher::try_push(const trace::Context& context, const Path& path, Slice payload,
                              const Headers& headers) {
  return sender(port_).try_send(context, path, std::move(payload), headers);
}

Task<Result<void>> Pusher::push(trace::Context context, Path path, Slice payload, Headers headers) {
  return on_loop_of(port_, sender(port_).send(std::move(context), std::move(path),
                                              std::move(payload), std::move(headers)));
}

Result<void> Pusher::push_blocking(trace::Context context, Path path, Slice payload,
                                   Headers headers) {
  return blocking_on(*port_, sender(port_).send(std::move(context), std::move(path),
                                                std::move(payload), std::move(headers)));
}

Publisher::Publisher(Runtime& runtime, OneWayOptions options)
    : OneWaySocket(std::make_shared<OneWaySender>(runtime, std::move(options),
                                                  OneWaySender::Kind::publish)) {}

Result<void> Publisher::publish(const trace::Context& context, const Path& path, Slice payload,
                                const Headers& headers) {
  return sender(port_).try_send(context, path, std::move(payload), headers);
}

std::size_t Publisher::subscriptions(std::string_view path) const {
  if (port_->forked()) return 0;
  if (port_->on_loop()) return sender(port_).subscriptions(path);
  const Result<std::size_t> count =
      block_on(port_->loop(), count_subscriptions(&sender(port_), std::string(path)));
  return count ? *count : 0;
}

Task<Result<void>> Publisher::wait_for_subscribers(trace::Context context, std::string path,
                                                   std::size_t count) {
  return on_loop_of(port_,
                    sender(port_).wait_for_subscribers(std::move(context), std::move(path), count));
}

Result<void> Publisher::wait_for_subscribers_blocking(trace::Context context, std::string path,
                                                      std::size_t count) {
  return blocking_on(
      *port_, sender(port_).wait_for_subscribers(std::move(context), std::move(path), count));
}

// ---- Receivers

Task<Result<Message>> OneWayInput::receive() { return OneWayReceiver::receive(port_); }

Task<Result<MessageBatch>> OneWayInput::receive_batch(trace::Context context,
                                                      std::size_t messages_max) {
  return on_loop_of(port_, receiver(port_).receive_batch(std::move(context), messages_max));
}

Result<Message> OneWayInput::receive_blocking() {
  return blocking_on(*port_, OneWayReceiver::receive(port_));
}

Result<MessageBatch> OneWayInput::receive_batch_blocking(trace::Context context,
                                                         std::size_t messages_max) {
  return blocking_on(*port_, receiver(port_).receive_batch(std::move(context), messages_max));
}

Puller::Puller(Runtime& runtime, OneWayOptions options)
    : OneWayInput(std::make_shared<OneWayReceiver>(
          runtime, std::move(options), OneWayReceiver::Kind::pull, std::vector<std::string>())) {}

Subscriber::Subscriber(Runtime& runtime, OneWayOptions options, std::vector<std::string> prefixes)
    : OneWayInput(std::make_shared<OneWayReceiver>(
          runtime, std::move(options), OneWayReceiver::Kind::subscribe, std::move(prefixes))) {}

std::uint64_t Subscriber::missed() const noexcept { return receiver(port_).missed(); }

}  // namespace spanwire::rpc
