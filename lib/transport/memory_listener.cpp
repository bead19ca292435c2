#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "lib/base/fork_lock.hpp"
#include "lib/base/fork_order.hpp"
#include "lib/transport/memory_link.hpp"

namespace spanwire::transport {
namespace {

struct MemoryConnection final : Incoming::Connection {
  MemoryConnection(std::shared_ptr<MemoryPipe> shared, LinkLease counted, MemoryOptions how,
                   std::string name)
      : pipe(std::move(shared)),
        lease(std::move(counted)),
        options(how),
        address(std::move(name)) {}
  ~MemoryConnection() override {
    if (pipe != nullptr) pipe->close(1);
  }

  Result<std::unique_ptr<Link>> open(Loop& loop) override {
    LinkInfo info;
    info.scheme = "memory";
    info.local = address;
    info.peer = "memory peer";
    return make_memory_link(loop, std::move(pipe), 1, std::move(info), options, std::move(lease));
  }

  std::shared_ptr<MemoryPipe> pipe;
  LinkLease lease;
  MemoryOptions options;
  std::string address;
};

class MemoryListener;

// What dialling threads and the listener's loop share.
struct Inbox : Job {
  std::mutex mutex;
  Loop* loop = nullptr;
  MemoryListener* listener = nullptr;  // only on its loop
  std::deque<std::shared_ptr<MemoryPipe>> waiting;
  bool closed = false;
  bool posted = false;
  std::shared_ptr<Inbox> keep;  // while posted
};

// Names and who listens there.  Never destroyed: threads may dial to the very end.
struct Registry {
  std::mutex mutex;
  std::map<std::string, std::shared_ptr<Inbox>> inboxes;

  static Registry& instance() {
    static Registry* const registry = new Registry;
    return *registry;
  }
  std::shared_ptr<Inbox> find(const std::string& name) {
    const std::lock_guard lock(mutex);
    const auto found = inboxes.find(name);
    return found != inboxes.end() ? found->second : nullptr;
  }
  bool add(const std::string& name, std::shared_ptr<Inbox> inbox) {
    const std::lock_guard lock(mutex);
    return inboxes.emplace(name, std::move(inbox)).second;
  }
  void remove(const std::string& name, const std::shared_ptr<Inbox>& inbox) {
    const std::lock_guard lock(mutex);
    const auto found = inboxes.find(name);
    if (found != inboxes.end() && found->second == inbox) inboxes.erase(found);
  }
};

std::mutex& registry_mutex() { return Registry::instance().mutex; }
[[gnu::constructor(detail::kForkHandlersOfTransport)]] void watch_forks() {
  detail::hold_over_forks<registry_mutex>();
}

class MemoryListener final : public Listener {
 public:
  MemoryListener(Address address, const ListenOptions& options, AcceptEvents& events,
                 std::shared_ptr<Inbox> inbox)
      : address_(std::move(address)),
        options_(options),
        events_(events),
        inbox_(std::move(inbox)),
        limit_(options.connections_max) {
    inbox_->listener = this;
  }
  ~MemoryListener() override { close(); }

  const Address& address() const noexcept override { return address_; }
  const ListenStats& stats() const noexcept override { return stats_; }
  std::size_t connections() const noexcept override { return limit_.open(); }

  void close() override {
    if (inbox_ == nullptr) return;
    Registry::instance().remove(address_.host, inbox_);
    std::deque<std::shared_ptr<MemoryPipe>> waiting;
    {
      const std::lock_guard lock(inbox_->mutex);
      inbox_->closed = true;
      inbox_->listener = nullptr;
      waiting.swap(inbox_->waiting);
    }
    for (const std::shared_ptr<MemoryPipe>& pipe : waiting) pipe->close(1);
    inbox_.reset();
  }

  void accept(std::shared_ptr<MemoryPipe> pipe) {
    if (!limit_.has_room(address_)) {
      count_refused(stats_);
      pipe->close(1);
      return;
    }
    ++stats_.accepted;
    MemoryOptions how = pipe->options();
    how.write_timeout = options_.write_timeout;
    events_.on_accept(Incoming(std::make_unique<MemoryConnection>(std::move(pipe), limit_.take(),
                                                                  how, to_string(address_))));
  }

 private:
  Address address_;
  ListenOptions options_;
  AcceptEvents& events_;
  std::shared_ptr<Inbox> inbox_;
  LinkLimit limit_;
  ListenStats stats_;
};

std::shared_ptr<MemoryPipe> take_one(Inbox& inbox) {
  const std::lock_guard lock(inbox.mutex);
  if (inbox.waiting.empty()) return nullptr;
  std::shared_ptr<MemoryPipe> pipe = std::move(inbox.waiting.front());
  inbox.waiting.pop_front();
  return pipe;
}

void accept_waiting(Job* job) noexcept {
  auto& inbox = *static_cast<Inbox*>(job);
  std::shared_ptr<Inbox> self;
  {
    const std::lock_guard lock(inbox.mutex);
    inbox.posted = false;
    self = std::move(inbox.keep);
  }
  while (inbox.listener != nullptr) {
    std::shared_ptr<MemoryPipe> pipe = take_one(inbox);
    if (pipe == nullptr) break;
    inbox.listener->accept(std::move(pipe));
  }
}

// False if the listener has been closed meanwhile.
bool hand_over(const std::shared_ptr<Inbox>& inbox, std::shared_ptr<MemoryPipe> pipe) {
  const std::lock_guard lock(inbox->mutex);
  if (inbox->closed) return false;
  inbox->waiting.push_back(std::move(pipe));
  if (std::exchange(inbox->posted, true)) return true;
  inbox->keep = inbox;
  inbox->loop->post(*inbox);
  return true;
}

}  // namespace

Result<Dialled> dial_memory(Loop& loop, const Address& address, const DialOptions& options) {
  MemoryOptions how = options.memory;
  how.write_timeout = options.write_timeout;
  const auto pipe = std::make_shared<MemoryPipe>(how);
  const std::shared_ptr<Inbox> inbox = Registry::instance().find(address.host);
  if (inbox == nullptr || !hand_over(inbox, pipe)) {
    return fail(Errc::connect_failed, to_string(address) + ": nobody listens there");
  }
  LinkInfo info;
  info.scheme = "memory";
  info.local = "memory peer";
  info.peer = to_string(address);
  Dialled dialled;
  dialled.attempts = 1;
  dialled.link = make_memory_link(loop, pipe, 0, std::move(info), how);
  return dialled;
}

Result<std::unique_ptr<Listener>> listen_in_memory(Loop& loop, const Address& address,
                                                   const ListenOptions& options,
                                                   AcceptEvents& events) {
  auto inbox = std::make_shared<Inbox>();
  inbox->run = &accept_waiting;
  inbox->loop = &loop;
  // Made before anybody can find it.
  auto listener = std::make_unique<MemoryListener>(address, options, events, inbox);
  if (!Registry::instance().add(address.host, inbox)) {
    return fail(Errc::already_exists, to_string(address) + ": somebody listens there");
  }
  return listener;
}

}  // namespace spanwire::transport
