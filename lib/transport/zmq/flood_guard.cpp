#include "lib/transport/zmq/flood_guard.hpp"

#include <pthread.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <functional>
#include <string>
#include <system_error>
#include <utility>

#include "lib/transport/socket_options.hpp"
#include "lib/transport/zmq/context.hpp"
#include "lib/transport/zmq/slow_peers.hpp"
#include "lib/transport/zmq/unfinished.hpp"
#include "spanwire/base/counters.hpp"
#include "spanwire/base/log.hpp"

namespace spanwire::transport {
namespace {

constinit NamedCounter subscriber_floods("spanwire.zmq.subscriber_floods");

// Of each connection: what introduces a peer, heartbeats.
constexpr std::uint64_t kBesideSubscriptions = 4'096;

std::optional<int> descriptor_named(const std::string& name) noexcept {
  int fd = -1;
  const auto read = std::from_chars(name.data(), name.data() + name.size(), fd);
  return read.ec == std::errc() ? std::optional<int>(fd) : std::nullopt;
}

bool is_at(int fd, const std::vector<std::uint16_t>& ports) {
  const std::string local = endpoint_text(local_address(fd));
  return std::any_of(ports.begin(), ports.end(), [&](std::uint16_t port) {
    return local.ends_with(':' + std::to_string(port));
  });
}

// The loop may not have heard yet of the connection that holds it up: so all that the process has
// are looked through.
ZmqFloods::Readings connections_at(const std::vector<std::uint16_t>& ports) {
  ZmqFloods::Readings readings;
  std::error_code error;
  for (std::filesystem::directory_iterator entry("/proc/self/fd", error), end;
       !error && entry != end; entry.increment(error)) {
    const std::optional<int> fd = descriptor_named(entry->path().filename().string());
    if (!fd) continue;
    const std::optional<Arrivals> arrivals = read_arrivals(*fd);
    if (arrivals && is_at(*fd, ports)) readings[arrivals->cookie] = {*fd, arrivals->bytes};
  }
  return readings;
}

}  // namespace

std::vector<int> ZmqFloods::look(const Readings& now) {
  if (!first_) {
    first_ = now;
    return {};
  }
  std::vector<std::pair<std::uint64_t, std::uint64_t>> brought;  // and by whom
  std::uint64_t all = 0;
  for (const auto& [name, reading] : now) {
    const auto first = first_->find(name);
    const std::uint64_t from =
        (first != first_->end() ? first->second.bytes : 0) + kBesideSubscriptions;
    if (reading.bytes <= from) continue;
    brought.emplace_back(reading.bytes - from, name);
    all += reading.bytes - from;
  }
  std::sort(brought.begin(), brought.end(), std::greater<>());
  std::vector<int> floods;
  for (const auto& [bytes, name] : brought) {
    if (all <= bytes_max_) break;
    all -= bytes;
    const Reading& reading = now.at(name);
    floods.push_back(reading.fd);
    // Until it has gone it is not told again.
    (*first_)[name] = reading;
  }
  return floods;
}

ZmqFloodGuard::ZmqFloodGuard() : thread_([this] { run(); }) {}

ZmqFloodGuard::~ZmqFloodGuard() {
  {
    const std::lock_guard lock(mutex_);
    ends_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void ZmqFloodGuard::add(std::shared_ptr<const Watched> watched) {
  {
    const std::lock_guard lock(mutex_);
    const std::uint64_t bytes_max = watched->bytes_max;
    const std::uint64_t turns = watched->turns.load(std::memory_order_relaxed);
    entries_.push_back({std::move(watched), ZmqFloods(bytes_max), turns});
  }
  changed_.notify_all();
}

void ZmqFloodGuard::remove(const std::shared_ptr<const Watched>& watched) {
  const std::lock_guard lock(mutex_);
  std::erase_if(entries_, [&](const Entry& entry) { return entry.watched == watched; });
}

void ZmqFloodGuard::run() noexcept {
  pthread_setname_np(pthread_self(), "spanwire-zmq");
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return ends_ || !entries_.empty(); });
    if (changed_.wait_for(lock, kZmqFloodLook, [this] { return ends_; })) return;
    for (Entry& entry : entries_) look_at(entry);
  }
}

void ZmqFloodGuard::look_at(Entry& entry) {
  const std::uint64_t turns = entry.watched->turns.load(std::memory_order_relaxed);
  if (std::exchange(entry.turns, turns) != turns) return entry.floods.forget();
  for (const int fd : entry.floods.look(connections_at(entry.watched->ports))) {
    subscriber_floods.add();
    log_warn("a subscriber was disconnected: it held up its publisher with subscriptions",
             {{"peer", peer_text(fd)}, {"subscription_bytes_max", entry.watched->bytes_max}});
    hang_up(fd);
  }
}

ZmqFloodWatch::ZmqFloodWatch(Loop& loop, std::vector<std::uint16_t> ports, std::uint64_t bytes_max)
    : Timer(&ZmqFloodWatch::timer_fired),
      loop_(loop),
      watched_(std::make_shared<ZmqFloodGuard::Watched>()) {
  watched_->ports = std::move(ports);
  watched_->bytes_max = bytes_max;
  // The loop holds it.
  if (const std::shared_ptr<ZmqContext> context = ZmqContext::acquire()) {
    context->flood_guard().add(watched_);
  }
  arm();
}

ZmqFloodWatch::~ZmqFloodWatch() {
  loop_.timers().remove(*this);
  if (const std::shared_ptr<ZmqContext> context = ZmqContext::acquire()) {
    context->flood_guard().remove(watched_);
  }
}

void ZmqFloodWatch::arm() noexcept {
  const MonotonicTime now = loop_.now();
  loop_.timers().add(*this, now + kZmqFloodLook / 2);
}

void ZmqFloodWatch::timer_fired(Timer* timer) noexcept {
  auto* const self = static_cast<ZmqFloodWatch*>(timer);
  self->watched_->turns.fetch_add(1, std::memory_order_relaxed);
  self->arm();
}

}  // namespace spanwire::transport
