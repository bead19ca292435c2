#include "lib/transport/zmq/context.hpp"

#include <pthread.h>
#include <zmq.h>

#include <cerrno>
#include <mutex>

#include "lib/base/fork_lock.hpp"
#include "lib/base/fork_order.hpp"
#include "lib/transport/zmq/flood_guard.hpp"
#include "lib/transport/zmq/zap_handler.hpp"
#include "spanwire/base/fork.hpp"

namespace spanwire::transport {
namespace {

// Never destroyed: the last socket may be closed after static objects are gone.
struct Shared {
  std::mutex mutex;
  std::weak_ptr<ZmqContext> living;
  unsigned generation = 0;

  static Shared& instance() {
    static Shared* const shared = new Shared;
    return *shared;
  }
};

std::mutex& shared_mutex() { return Shared::instance().mutex; }
[[gnu::constructor(detail::kForkHandlersOfTransport)]] void watch_forks() {
  detail::hold_over_forks<shared_mutex>();
}

}  // namespace

ZmqContext::ZmqContext(void* handle) noexcept
    : handle_(handle), io_thread_(handle), generation_(fork_generation()) {}

ZmqContext::~ZmqContext() {
  // After a fork libzmq's threads are the parent's: waiting for them would never end.
  if (generation_ != fork_generation()) {
    static_cast<void>(zap_.release());
    static_cast<void>(flood_guard_.release());
    return;
  }
  zap_.reset();
  flood_guard_.reset();
  while (zmq_ctx_term(handle_) != 0 && errno == EINTR) {
  }
}

Result<ZapHandler*> ZmqContext::zap() {
  const std::lock_guard lock(mutex_);
  if (zap_ == nullptr) {
    SPANWIRE_TRY(zap_, ZapHandler::start(handle_));
  }
  return zap_.get();
}

ZmqFloodGuard& ZmqContext::flood_guard() {
  const std::lock_guard lock(mutex_);
  if (flood_guard_ == nullptr) flood_guard_ = std::make_unique<ZmqFloodGuard>();
  return *flood_guard_;
}

std::shared_ptr<ZmqContext> ZmqContext::acquire() {
  Shared& shared = Shared::instance();
  const std::lock_guard lock(shared.mutex);
  if (shared.generation == fork_generation()) {
    if (std::shared_ptr<ZmqContext> living = shared.living.lock()) return living;
  }
  void* const handle = zmq_ctx_new();
  if (handle == nullptr) return nullptr;
  zmq_ctx_set(handle, ZMQ_MAX_SOCKETS, kZmqSocketsMax);
  std::shared_ptr<ZmqContext> made(new ZmqContext(handle));
  shared.living = made;
  shared.generation = fork_generation();
  return made;
}

}  // namespace spanwire::transport
