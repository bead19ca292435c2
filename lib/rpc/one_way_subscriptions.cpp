// The part of OneWaySender that knows who listens to a publisher.
#include <string>
#include <utility>
#include <vector>

#include "lib/rpc/one_way_sender.hpp"
#include "lib/rpc/shown_path.hpp"
#include "spanwire/base/counters.hpp"
#include "spanwire/base/log.hpp"

namespace spanwire::rpc {
namespace {

constinit NamedCounter subscriptions_ignored("spanwire.zmq.subscriptions_ignored");
constinit NamedCounter greedy_subscribers("spanwire.zmq.greedy_subscribers");

}  // namespace

void OneWaySender::on_opened() {
  if (kind_ != Kind::publish) return;
  std::vector<std::uint16_t> ports;
  for (const std::string& text : addresses()) {
    const Result<transport::Address> address = transport::parse_address(text);
    if (address && address->scheme == transport::Scheme::zmq_tcp) ports.push_back(address->port);
  }
  if (!ports.empty()) {
    flood_watch_.emplace(loop(), std::move(ports), options().subscription_bytes_max);
  }
}

void OneWaySender::read_subscriptions() {
  transport::ZmqMessage message;
  bool changed = false;
  while (socket().receive(message)) {
    const std::string_view text = text_of(transport::part_bytes(message.parts()[0]));
    if (message.parts().size() != 1 || text.empty()) continue;
    const bool begins = text[0] == 1;
    if (!begins && text[0] != 0) continue;
    // libzmq tells of what changes nothing too.
    const int fd = transport::descriptor_of(message.parts()[0]);
    if (!peer_subscriptions_.note(fd, begins, text.substr(1))) continue;
    changed = note_subscription(begins, text.substr(1)) || changed;
    end_greedy_subscribers();
  }
  if (changed) wake_subscriber_waits();
}

void OneWaySender::end_greedy_subscribers() {
  if (ending_greedy_ || !peer_subscriptions_.greediest()) return;
  // Who has ended is told first: its descriptor may be another's already.  That reads on.
  ending_greedy_ = true;
  static_cast<void>(standing());
  ending_greedy_ = false;
  while (const std::optional<int> fd = peer_subscriptions_.greediest()) {
    greedy_subscribers.add();
    log_warn("a subscriber was disconnected: all together subscribed to too much",
             {{"peer", transport::peer_text(*fd)},
              {"subscription_bytes_max", options().subscription_bytes_max}});
    transport::hang_up(*fd);
    peer_subscriptions_.give_up(*fd);
  }
}

// What it sent before comes first.
void OneWaySender::on_descriptor_ended(int fd) {
  if (kind_ == Kind::publish && open()) read_subscriptions();
  peer_subscriptions_.forget(fd);
}

// True if somebody more listens.
bool OneWaySender::note_subscription(bool begins, std::string_view prefix) {
  auto known = subscribed_.find(prefix);
  if (!begins) {
    if (known != subscribed_.end() && --known->second == 0) subscribed_.erase(known);
    return false;
  }
  if (known == subscribed_.end()) {
    // No path begins so, or nobody needs so many: what peers ask for must not fill our memory.
    if (prefix.size() > options().limits.path_bytes_max ||
        subscribed_.size() >= kSubscribedPrefixesMax) {
      subscriptions_ignored.add();
      log_warn("a subscription is not counted",
               {{"prefix", shown_path(prefix)}, {"prefixes", subscribed_.size()}});
      return false;
    }
    known = subscribed_.emplace(prefix, 0).first;
  }
  ++known->second;
  return true;
}

std::size_t OneWaySender::subscriptions(std::string_view path) const {
  std::size_t count = 0;
  for (const auto& [prefix, times] : subscribed_) {
    if (path.starts_with(prefix)) count += times;
  }
  return count;
}

void OneWaySender::wake_subscriber_waits() {
  while (PortWait* wait = subscriber_waits_.first()) wait->end_later({});
}

Task<Result<void>> OneWaySender::wait_for_subscribers(trace::Context context, std::string path,
                                                      std::size_t count) {
  const std::shared_ptr<OneWayPort> keep = shared_from_this();
  for (;;) {
    SPANWIRE_CO_TRY_VOID(check_open());
    const std::size_t there = subscriptions(path);
    if (there >= count) co_return Result<void>();
    PortWait wait(subscriber_waits_, context.deadline());
    Result<void> waited = co_await wait;
    if (waited) continue;
    if (waited.error() != Errc::deadline_exceeded) co_return waited;
    co_return fail(Errc::deadline_exceeded, std::to_string(subscriptions(path)) + " of " +
                                                std::to_string(count) + " subscribers are there");
  }
}

}  // namespace spanwire::rpc
