#include <algorithm>

#include "lib/rpc/client_core.hpp"
#include "spanwire/base/log.hpp"
#include "spanwire/channel/v1.hpp"
#include "spanwire/channel/v2.hpp"
#include "spanwire/transport/dial.hpp"

namespace spanwire::rpc {
namespace {

// A connection that lasted less counts as a failed attempt, so that a server which accepts and
// closes at once is not called in a tight loop.
constexpr auto kLastedMin = std::chrono::seconds(1);

}  // namespace

LoopClient::LoopClient(ClientCore& core, transport::Loop& loop)
    : core_(core),
      loop_(loop),
      retry_budget_(core.options().retry_tokens_max, core.options().retry_token_ratio) {
  for (const transport::Address& address : core.addresses()) {
    endpoints_.push_back(std::make_unique<Endpoint>(*this, address));
  }
}

LoopClient::~LoopClient() = default;

void LoopClient::submit(OutgoingCall& call, Connection* avoid) noexcept {
  if (closed_) {
    call.fail_with(Errc::shutting_down, "the client is being closed", Reached::not_sent);
    return;
  }
  if (waiting_.empty() || avoid != nullptr) {
    if (try_ready(call, avoid) != OutgoingCall::Sent::cannot) return;
  }
  connect_where_idle();
  if (!ready_.empty()) grow();
  if (ready_.empty() && !call.wait_for_ready_ && !any_attempt_under_way()) {
    const Error cause = last_error();
    call.fail_with(Errc::not_connected, cause.message(), Reached::not_sent);
    return;
  }
  wait(call);
}

OutgoingCall::Sent LoopClient::try_ready(OutgoingCall& call, Connection* avoid) noexcept {
  const std::size_t count = ready_.size();
  if (count == 0) return OutgoingCall::Sent::cannot;
  const std::size_t first = first_to_try();
  for (std::size_t attempt = 0; attempt < count && !ready_.empty(); ++attempt) {
    Connection* connection = ready_[(first + attempt) % ready_.size()];
    if (connection == avoid && count > 1) continue;
    const OutgoingCall::Sent sent = call.try_send(*connection);
    if (sent != OutgoingCall::Sent::cannot) return sent;
  }
  return OutgoingCall::Sent::cannot;
}

std::size_t LoopClient::first_to_try() noexcept {
  const std::size_t count = ready_.size();
  const std::size_t start = next_ready_++ % count;
  if (count == 1 || core_.options().balancing == Balancing::round_robin) return start;
  // From the next one on, so that those that have equally many take turns.
  std::size_t least = start;
  for (std::size_t step = 1; step < count; ++step) {
    const std::size_t at = (start + step) % count;
    if (ready_[at]->channel().in_flight() < ready_[least]->channel().in_flight()) least = at;
  }
  return least;
}

bool LoopClient::has_other(const Connection& than) const noexcept {
  return std::any_of(ready_.begin(), ready_.end(), [&](Connection* connection) {
    return &connection->endpoint() != &const_cast<Connection&>(than).endpoint();
  });
}

void LoopClient::wait(OutgoingCall& call) noexcept {
  if (waiting_.size() >= core_.options().waiting_calls_max) {
    call.fail_with(Errc::queue_full,
                   std::to_string(waiting_.size()) + " calls wait for a connection already",
                   Reached::not_sent);
    return;
  }
  call.stage_ = OutgoingCall::Stage::waiting;
  waiting_.push_back(call);
}

void LoopClient::forget(OutgoingCall& call) noexcept {
  waiting_.remove(call);
  call.stage_ = OutgoingCall::Stage::starting;
}

void LoopClient::serve_waiting() noexcept {
  // A call that ends in here may run code that submits others: they queue behind, in order.
  if (serving_) return;
  serving_ = true;
  while (!waiting_.empty()) {
    OutgoingCall& call = *waiting_.first();
    forget(call);
    if (try_ready(call, nullptr) != OutgoingCall::Sent::cannot) continue;
    // Back to the front: nobody can take it now.
    call.stage_ = OutgoingCall::Stage::waiting;
    waiting_.push_front(call);
    break;
  }
  serving_ = false;
  // What still waits came while there was no connection, or no room: nobody else asks for more.
  if (!waiting_.empty() && !ready_.empty()) grow();
}

void LoopClient::fail_waiting() noexcept {
  if (any_attempt_under_way() || !ready_.empty()) return;
  const Error cause = last_error();
  for (OutgoingCall* call = waiting_.first(); call != nullptr;) {
    if (call->wait_for_ready_) {
      call = CallList::after(*call);
      continue;
    }
    forget(*call);
    call->fail_with(Errc::not_connected, cause.message(), Reached::not_sent);
    call = waiting_.first();  // what ran may have changed the list
  }
}

Error LoopClient::last_error() const {
  for (const auto& endpoint : endpoints_) {
    if (endpoint->failed) {
      return Error(endpoint->last_error.code(),
                   endpoint->text + ": " + endpoint->last_error.message());
    }
  }
  return Error(Errc::not_connected);
}

bool LoopClient::any_attempt_under_way() const noexcept {
  return std::any_of(endpoints_.begin(), endpoints_.end(), [](const auto& endpoint) {
    return endpoint->connecting() || (endpoint->backoff.armed() && !endpoint->failed);
  });
}

void LoopClient::connect_where_idle() noexcept {
  for (const auto& endpoint : endpoints_) {
    if (endpoint->dialing != 0 || endpoint->backoff.armed()) continue;
    const bool usable = std::any_of(
        endpoint->connections.begin(), endpoint->connections.end(), [](const auto& connection) {
          const channel::State state = connection->channel().state();
          return state == channel::State::ready || state == channel::State::handshake;
        });
    if (!usable) dial(*endpoint);
  }
}

void LoopClient::grow() noexcept {
  Endpoint* smallest = nullptr;
  for (const auto& endpoint : endpoints_) {
    if (endpoint->connecting()) return;  // more room is coming already
    if (endpoint->failed || endpoint->backoff.armed() ||
        endpoint->connections.size() >= core_.connections_per_loop()) {
      continue;
    }
    if (smallest == nullptr || endpoint->connections.size() < smallest->connections.size())
      smallest = endpoint.get();
  }
  if (smallest != nullptr) dial(*smallest);
}

void LoopClient::dial(Endpoint& endpoint) noexcept {
  if (closed_) return;
  ++endpoint.dialing;
  ++dials_running_;
  note_state();
  const auto on_done = [this](Task<void>& /*task*/) {
    --dials_running_;
    leave_if_ended();
  };
  spawn(loop_, dial_task(endpoint), on_done, &dial_scope_);
}

Task<void> LoopClient::dial_task(Endpoint& endpoint) {
  transport::DialOptions options;
  options.connect_timeout = core_.options().connect_timeout;
  options.write_timeout = core_.options().limits.write_timeout;
  options.zmq = core_.options().zmq;
  options.resolver = &core_.runtime().resolver();
  options.memory = core_.options().memory;
  options.memory.faults.seed += dialled_++;
  Result<transport::Dialled> dialled = co_await transport::dial(loop_, endpoint.address, options);
  connected(endpoint, std::move(dialled));
}

void LoopClient::connected(Endpoint& endpoint, Result<transport::Dialled> dialled) noexcept {
  --endpoint.dialing;
  if (closed_) return;
  if (!dialled) {
    attempt_failed(endpoint, dialled.error());
    return;
  }
  std::unique_ptr<channel::ClientChannel> channel;
  if (endpoint.address.protocol == "dynamo") {
    channel::V1Options options;
    options.limits = core_.options().limits;
    options.message_bytes_max = core_.options().v1_message_bytes_max;
    options.in_flight_max = core_.options().v1_in_flight_max;
    options.acknowledgement_timeout = core_.options().v1_acknowledgement_timeout;
    channel = channel::make_v1_client(std::move(dialled->link), loop_, options);
  } else {
    channel::V2Options options;
    options.limits = core_.options().limits;
    options.naive_peer = endpoint.address.protocol == "naive";
    channel = channel::make_v2_client(std::move(dialled->link), loop_, options);
  }
  if (linger_until_ != MonotonicTime{}) channel->linger_until(linger_until_);
  endpoint.connections.push_back(std::make_unique<Connection>(*this, endpoint, std::move(channel),
                                                              dialled->resolve, dialled->connect));
  endpoint.connections.back()->start();
}

void LoopClient::attempt_failed(Endpoint& endpoint, const Error& cause) noexcept {
  if (closed_) return;
  endpoint.failed = true;
  endpoint.last_error = cause;
  if (!endpoint.backoff.armed()) {
    loop_.timers().add(endpoint.backoff, loop_.now() + endpoint.pause.next(Random::of_thread()));
  }
  note_state();
  fail_waiting();
}

void LoopClient::ready(Connection& connection) noexcept {
  connection.endpoint().failed = false;
  ready_.push_back(&connection);
  if (ready_.size() == 1) {
    for (OutgoingCall* call = waiting_.first(); call != nullptr; call = CallList::after(*call)) {
      call->span_.add_event("rpc.connect");
    }
  }
  note_state();
  tell_waiters();
  serve_waiting();
}

void LoopClient::not_ready(Connection& connection) noexcept {
  ready_.erase(std::remove(ready_.begin(), ready_.end(), &connection), ready_.end());
  note_state();
}

void LoopClient::closed(Connection& connection, const Error& cause) noexcept {
  Endpoint& endpoint = connection.endpoint();
  not_ready(connection);
  const bool lasted = connection.was_ready() && loop_.now() - connection.opened_at() >= kLastedMin;
  const bool was_ready = connection.was_ready();
  auto& all = endpoint.connections;
  std::unique_ptr<Connection> gone;
  for (auto& candidate : all) {
    if (candidate.get() == &connection) gone = std::move(candidate);
  }
  all.erase(std::remove(all.begin(), all.end(), nullptr), all.end());
  if (closed_) {
    gone.reset();
    leave_if_ended();
    return;
  }
  if (lasted) endpoint.pause.reset();
  if (cause.code() == Errc::idle_timeout || cause.code() == Errc::draining) {
    if (!waiting_.empty()) connect_where_idle();
    return;
  }
  if (!was_ready) {
    attempt_failed(endpoint, cause);
    return;
  }
  // Lost: the next attempt comes after a pause, and whoever waits sees its outcome.
  if (!endpoint.backoff.armed() && endpoint.dialing == 0 && all.empty()) {
    loop_.timers().add(endpoint.backoff, loop_.now() + endpoint.pause.next(Random::of_thread()));
  }
}

bool LoopClient::in_use() const noexcept {
  return dials_running_ != 0 ||
         std::any_of(endpoints_.begin(), endpoints_.end(),
                     [](const auto& endpoint) { return !endpoint->connections.empty(); });
}

void LoopClient::leave_if_ended() noexcept {
  if (!closed_ || in_use()) return;
  const std::shared_ptr<ClientCore> keep = std::move(keep_);
  tell_waiters();
}

void LoopClient::stop(const Error& cause, std::shared_ptr<ClientCore> keep) noexcept {
  if (closed_) return;
  closed_ = true;
  keep_ = std::move(keep);
  dial_scope_.request_cancel();
  while (!waiting_.empty()) {
    OutgoingCall& call = *waiting_.first();
    forget(call);
    call.fail_with(cause.code(), std::string(cause.detail()), Reached::not_sent);
  }
  ready_.clear();
  note_state();
  tell_waiters();
  for (const auto& endpoint : endpoints_) loop_.timers().remove(endpoint->backoff);
  leave_if_ended();
}

void LoopClient::close(const Error& cause, std::shared_ptr<ClientCore> keep) noexcept {
  const std::shared_ptr<ClientCore> alive = keep;
  stop(cause, std::move(keep));
  // Closing may end a connection at once and take it out of its list.
  for (channel::ClientChannel* channel : channels()) channel->close(cause);
}

}  // namespace spanwire::rpc
