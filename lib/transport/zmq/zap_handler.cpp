#include "lib/transport/zmq/zap_handler.hpp"

#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <zmq.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "spanwire/base/counters.hpp"
#include "spanwire/base/log.hpp"

namespace spanwire::transport {
namespace {

constexpr const char* kEndpoint = "inproc://zeromq.zap.01";

constinit NamedCounter zap_accepted("spanwire.zmq.zap_accepted");
constinit NamedCounter zap_refused("spanwire.zmq.zap_refused");
constinit NamedCounter zap_malformed("spanwire.zmq.zap_malformed");

// Part by part: version, request id, domain, address, identity, mechanism, credentials.
enum Part : std::size_t { version, request_id, domain, address, identity, mechanism, credentials };

using Parts = std::vector<std::string>;

// False when the context has ended.
bool receive(void* socket, Parts& parts) {
  parts.clear();
  int more = 1;
  while (more != 0) {
    zmq_msg_t message;
    zmq_msg_init(&message);
    int got = -1;
    do {
      got = zmq_msg_recv(&message, socket, 0);
    } while (got < 0 && errno == EINTR);
    if (got < 0) return false;
    parts.emplace_back(static_cast<const char*>(zmq_msg_data(&message)), zmq_msg_size(&message));
    more = zmq_msg_more(&message);
    zmq_msg_close(&message);
  }
  return true;
}

struct Verdict {
  const char* code;
  const char* text;
  std::string user;
};

void send(void* socket, std::string_view id, const Verdict& verdict) {
  const std::array<std::string_view, 6> parts = {"1.0",        id,           verdict.code,
                                                 verdict.text, verdict.user, ""};
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const int flags = i + 1 < parts.size() ? ZMQ_SNDMORE : 0;
    while (zmq_send(socket, parts[i].data(), parts[i].size(), flags) < 0 && errno == EINTR) {
    }
  }
}

}  // namespace

struct ZapHandler::State {
  ~State() {
    if (thread.joinable()) {
      ::eventfd_write(stop, 1);
      thread.join();
    }
    if (socket != nullptr) zmq_close(socket);
    if (stop >= 0) ::close(stop);
  }

  void run() noexcept;
  Verdict judge(const Parts& parts);
  std::shared_ptr<AllowList> list_of(const std::string& name);

  void* socket = nullptr;  // handed over to the thread while it runs
  int stop = -1;
  std::thread thread;
  std::mutex mutex;
  std::map<std::string, std::shared_ptr<AllowList>> lists;
  std::uint64_t last_domain = 0;
};

void ZapHandler::State::run() noexcept {
  pthread_setname_np(pthread_self(), "spanwire-zap");
  Parts parts;
  for (;;) {
    std::array<zmq_pollitem_t, 2> items = {zmq_pollitem_t{socket, 0, ZMQ_POLLIN, 0},
                                           zmq_pollitem_t{nullptr, stop, ZMQ_POLLIN, 0}};
    if (zmq_poll(items.data(), static_cast<int>(items.size()), -1) < 0) {
      if (errno == EINTR) continue;
      return;
    }
    if ((items[1].revents & ZMQ_POLLIN) != 0) return;
    if (!receive(socket, parts)) return;
    send(socket, parts.size() > request_id ? parts[request_id] : std::string(), judge(parts));
  }
}

std::shared_ptr<AllowList> ZapHandler::State::list_of(const std::string& name) {
  const std::lock_guard lock(mutex);
  const auto found = lists.find(name);
  return found != lists.end() ? found->second : nullptr;
}

Verdict ZapHandler::State::judge(const Parts& parts) {
  if (parts.size() <= mechanism || parts[version] != "1.0") {
    zap_malformed.add();
    return {"500", "not a ZAP 1.0 request", {}};
  }
  const bool curve = parts[mechanism] == "CURVE" && parts.size() == credentials + 1 &&
                     parts[credentials].size() == kCurveKeyBytes;
  CurvePublicKey key;
  const char* reason = "not a CURVE client";
  if (curve) {
    std::array<std::byte, kCurveKeyBytes> bytes;
    std::memcpy(bytes.data(), parts[credentials].data(), bytes.size());
    key = CurvePublicKey(bytes);
    const std::shared_ptr<AllowList> list = list_of(parts[domain]);
    if (list && list->allows(key)) {
      zap_accepted.add();
      return {"200", "OK", key.text()};
    }
    reason = list ? "its key is not in the list" : "the listener is closed";
  }
  zap_refused.add();
  log_warn("a ZeroMQ client was refused", {{"reason", reason},
                                           {"key", curve ? key.text() : std::string("none")},
                                           {"address", parts[address]},
                                           {"list", parts[domain]}});
  return {"400", reason, {}};
}

ZapHandler::ZapHandler(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {}
ZapHandler::~ZapHandler() = default;

Result<std::unique_ptr<ZapHandler>> ZapHandler::start(void* context) {
  auto state = std::make_unique<State>();
  state->socket = zmq_socket(context, ZMQ_REP);
  state->stop = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (state->socket == nullptr || state->stop < 0) {
    return fail(Errc::listen_failed, std::string("ZAP handler: ") + std::strerror(errno));
  }
  const int linger = 0;
  zmq_setsockopt(state->socket, ZMQ_LINGER, &linger, sizeof(linger));
  if (zmq_bind(state->socket, kEndpoint) != 0) {
    return fail(errno == EADDRINUSE ? Errc::already_exists : Errc::listen_failed,
                std::string("ZAP handler at ") + kEndpoint + ": " + zmq_strerror(errno));
  }
  State* const running = state.get();
  state->thread = std::thread([running] { running->run(); });
  return std::unique_ptr<ZapHandler>(new ZapHandler(std::move(state)));
}

std::string ZapHandler::add(std::shared_ptr<AllowList> list) {
  const std::lock_guard lock(state_->mutex);
  std::string domain = list->path() + '#' + std::to_string(++state_->last_domain);
  // libzmq takes at most 255 bytes.
  if (domain.size() > 255) domain.erase(0, domain.size() - 255);
  state_->lists.emplace(domain, std::move(list));
  return domain;
}

void ZapHandler::remove(const std::string& domain) {
  const std::lock_guard lock(state_->mutex);
  state_->lists.erase(domain);
}

}  // namespace spanwire::transport
