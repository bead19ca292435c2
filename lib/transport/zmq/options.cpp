#include "lib/transport/zmq/options.hpp"

#include <sys/stat.h>
#include <zmq.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <mutex>
#include <set>

#include "lib/base/fork_lock.hpp"
#include "lib/base/fork_order.hpp"
#include "lib/transport/resolve.hpp"
#include "lib/transport/socket_listener.hpp"
#include "spanwire/wire/multipart.hpp"

namespace spanwire::transport {
namespace {

// An attempt after this much never comes: a link closes its socket when its connection is gone.
// libzmq's "never" would throw away what had come and was not read.
constexpr int kReconnectNeverMs = 24 * 3'600 * 1'000;

int to_milliseconds(std::chrono::nanoseconds time) {
  const auto count = std::chrono::duration_cast<std::chrono::milliseconds>(time).count();
  return static_cast<int>(std::clamp<std::int64_t>(count, 1, std::numeric_limits<int>::max() / 4));
}

// Never destroyed: a listener may outlive static objects.
struct InprocNames {
  std::mutex mutex;
  std::set<std::string> names;

  static InprocNames& instance() {
    static InprocNames* const names = new InprocNames;
    return *names;
  }
};

std::mutex& inproc_names_mutex() { return InprocNames::instance().mutex; }
[[gnu::constructor(detail::kForkHandlersOfTransport)]] void watch_forks() {
  detail::hold_over_forks<inproc_names_mutex>();
}

}  // namespace

std::uint64_t unfinished_bytes_max(const ZmqOptions& options, std::size_t body_bytes) noexcept {
  return options.unfinished_bytes_max != 0 ? options.unfinished_bytes_max
                                           : body_bytes + kZmqFramingBytes;
}

ZmqSocketOptions link_socket_options(const ZmqOptions& options) {
  ZmqSocketOptions result;
  result.send_messages_max = options.send_messages_max;
  result.receive_messages_max = options.receive_messages_max;
  result.part_bytes_max = static_cast<std::int64_t>(wire::kMultipartBodyBytesMax);
  result.message_bytes_max = unfinished_bytes_max(options, wire::kMultipartBodyBytesMax);
  return result;
}

Result<void> set_heartbeat(ZmqSocket& socket, const ZmqOptions& options) {
  if (options.heartbeat.count() <= 0) return {};
  const int interval = to_milliseconds(options.heartbeat);
  const int timeout = to_milliseconds(options.heartbeat_timeout);
  SPANWIRE_TRY_VOID(socket.set(ZMQ_HEARTBEAT_IVL, interval));
  SPANWIRE_TRY_VOID(socket.set(ZMQ_HEARTBEAT_TIMEOUT, timeout));
  // The peer gives us up after the same silence.
  constexpr int kTtlMsMax = 6'553'599;
  return socket.set(ZMQ_HEARTBEAT_TTL, std::min(interval + timeout, kTtlMsMax));
}

Result<void> check_encrypts(const Address& address, const CurveOptions& curve) {
  if (curve.empty() || address.scheme != Scheme::tcp) return {};
  return fail(Errc::invalid_argument,
              to_string(address) + ": keys were given, and only zmq+tcp and zmq+ipc encrypt");
}

std::chrono::milliseconds shorter_linger(std::chrono::milliseconds linger,
                                         std::chrono::nanoseconds left) noexcept {
  const auto bound = std::max(std::chrono::duration_cast<std::chrono::milliseconds>(left),
                              std::chrono::milliseconds(0));
  // libzmq's -1 is for ever.
  return linger.count() < 0 ? bound : std::min(linger, bound);
}

std::chrono::milliseconds linger_by(std::chrono::milliseconds linger, MonotonicTime deadline,
                                    MonotonicTime now) noexcept {
  return deadline == MonotonicTime{} ? linger : shorter_linger(linger, deadline - now);
}

Result<void> set_connecting(ZmqSocket& socket, std::chrono::nanoseconds timeout) {
  SPANWIRE_TRY_VOID(socket.set(ZMQ_IPV6, 1));
  SPANWIRE_TRY_VOID(socket.set(ZMQ_RECONNECT_IVL, kReconnectNeverMs));
  SPANWIRE_TRY_VOID(socket.set(ZMQ_CONNECT_TIMEOUT, to_milliseconds(timeout)));
  return socket.set(ZMQ_HANDSHAKE_IVL, to_milliseconds(timeout));
}

Result<void> set_handshake_timeout(ZmqSocket& socket, std::chrono::nanoseconds timeout) {
  return socket.set(ZMQ_HANDSHAKE_IVL, to_milliseconds(timeout));
}

Result<std::uint16_t> bind_tcp(ZmqSocket& socket, const Address& address) {
  const std::string port = address.port == 0 ? "*" : std::to_string(address.port);
  Result<void> bound;
  if (address.host == "*") {
    SPANWIRE_TRY_VOID(socket.set(ZMQ_IPV6, 1));
    bound = socket.bind("tcp://*:" + port);
    if (!bound && bound.error().code() != Errc::already_exists) {
      // A machine without IPv6.
      SPANWIRE_TRY_VOID(socket.set(ZMQ_IPV6, 0));
      bound = socket.bind("tcp://*:" + port);
    }
  } else {
    SPANWIRE_TRY(const SocketAddresses addresses, resolve_now(address.host, address.port));
    for (const SocketAddress& candidate : addresses) {
      SPANWIRE_TRY_VOID(socket.set(ZMQ_IPV6, candidate.family() == AF_INET6 ? 1 : 0));
      const std::string text = endpoint_text(candidate);
      bound = socket.bind("tcp://" + text.substr(0, text.rfind(':') + 1) + port);
      if (bound) break;
    }
  }
  SPANWIRE_TRY_VOID(std::move(bound));
  const std::string endpoint = socket.last_endpoint();
  return static_cast<std::uint16_t>(std::stoul(endpoint.substr(endpoint.rfind(':') + 1)));
}

Result<void> bind_ipc(ZmqSocket& socket, const Address& address, const ZmqOptions& options) {
  SPANWIRE_TRY_VOID(check_free_path(address));
  SPANWIRE_TRY_VOID(socket.bind("ipc://" + address.host));
  if (options.ipc_permissions == 0) return {};
  if (::chmod(address.host.c_str(), static_cast<mode_t>(options.ipc_permissions)) == 0) return {};
  return fail(Errc::listen_failed, to_string(address) + ": " + system_text(errno));
}

std::string_view zmq_scheme(Scheme scheme) noexcept {
  switch (scheme) {
    case Scheme::zmq_ipc:
      return "zmq+ipc";
    case Scheme::zmq_inproc:
      return "zmq+inproc";
    default:
      return "zmq+tcp";
  }
}

bool add_inproc_name(const std::string& name) {
  InprocNames& all = InprocNames::instance();
  const std::lock_guard lock(all.mutex);
  return all.names.insert(name).second;
}

void remove_inproc_name(const std::string& name) {
  InprocNames& all = InprocNames::instance();
  const std::lock_guard lock(all.mutex);
  all.names.erase(name);
}

bool has_inproc_name(const std::string& name) {
  InprocNames& all = InprocNames::instance();
  const std::lock_guard lock(all.mutex);
  return all.names.count(name) != 0;
}

}  // namespace spanwire::transport
