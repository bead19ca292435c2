#include "lib/transport/socket_listener.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <utility>

#include "lib/transport/incoming.hpp"
#include "lib/transport/socket_stream.hpp"
#include "lib/transport/stream_link.hpp"
#include "spanwire/base/counters.hpp"
#include "spanwire/base/log.hpp"

namespace spanwire::transport {
namespace {

// Connections accepted before the loop's sockets get their turn.
constexpr int kAcceptsPerTurn = 64;

constinit NamedCounter connections_accepted("spanwire.transport.connections_accepted");
constinit NamedCounter connections_refused("spanwire.transport.connections_refused");
constinit NamedCounter accept_pauses("spanwire.transport.accept_pauses");

struct SocketConnection final : Incoming::Connection {
  SocketConnection(Fd accepted, LinkLease counted, LinkInfo link_info,
                   std::chrono::nanoseconds timeout)
      : socket(std::move(accepted)),
        lease(std::move(counted)),
        info(std::move(link_info)),
        write_timeout(timeout) {}

  Result<std::unique_ptr<Link>> open(Loop& loop) override {
    SPANWIRE_TRY(const Ref<SocketStream> stream,
                 make_socket_stream(loop, std::move(socket), info.quick_ack));
    return make_stream_link(loop, Ref<ByteStream>(stream.get()), std::move(info), write_timeout,
                            std::move(lease));
  }

  Fd socket;
  LinkLease lease;
  LinkInfo info;
  std::chrono::nanoseconds write_timeout;
};

bool is_shortage(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

// Which file a path names, so that only our own is removed.
struct FileId {
  dev_t device = 0;
  ino_t inode = 0;

  static FileId of(const std::string& path) {
    struct stat status{};
    if (::lstat(path.c_str(), &status) != 0) return {};
    return {status.st_dev, status.st_ino};
  }
  friend bool operator==(const FileId&, const FileId&) = default;
};

class SocketListener final : public Listener, private StreamEvents, private Timer {
 public:
  SocketListener(Loop& loop, Address address, const ListenOptions& options, AcceptEvents& events,
                 Ref<SocketStream> socket)
      : Timer(&SocketListener::pause_over),
        loop_(loop),
        address_(std::move(address)),
        options_(options),
        events_(events),
        socket_(std::move(socket)),
        count_(std::make_shared<std::atomic<std::size_t>>(0)) {
    if (address_.scheme == Scheme::unix_socket) {
      file_ = FileId::of(address_.host);
    } else {
      const SocketAddress bound = local_address(socket_->fd());
      address_.port = ntohs(reinterpret_cast<const sockaddr_in&>(bound.storage).sin_port);
    }
    socket_->start(*this);
    socket_->wait_readable();
  }
  ~SocketListener() override { close(); }

  const Address& address() const noexcept override { return address_; }
  const ListenStats& stats() const noexcept override { return stats_; }
  std::size_t connections() const noexcept override {
    return count_->load(std::memory_order_relaxed);
  }

  void close() override {
    if (!socket_) return;
    if (address_.scheme == Scheme::unix_socket && FileId::of(address_.host) == file_) {
      ::unlink(address_.host.c_str());
    }
    loop_.timers().remove(*this);
    socket_->close();
    socket_ = Ref<SocketStream>();
  }

 private:
  void on_readable() override {
    for (int accepts = 0; accepts < kAcceptsPerTurn && socket_; ++accepts) {
      if (!accept_one()) break;
    }
    if (socket_ && !Timer::armed()) socket_->wait_readable();
  }
  void on_writable() override {}

  // True if there may be more to accept.
  bool accept_one() {
    SocketAddress peer;
    peer.size = sizeof(peer.storage);
    Fd socket(::accept4(socket_->fd(), peer.get(), &peer.size, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!socket) return go_on_after(errno);
    pause_reported_ = false;
    if (connections() >= options_.connections_max) {
      ++stats_.refused;
      connections_refused.add();
      return true;
    }
    ++stats_.accepted;
    connections_accepted.add();
    set_connection_options(socket.get(), peer.family());
    LinkInfo info = info_of(socket.get(), peer);
    events_.on_accept(Incoming(std::make_unique<SocketConnection>(
        std::move(socket), LinkLease(count_), std::move(info), options_.write_timeout)));
    return true;
  }

  LinkInfo info_of(int fd, const SocketAddress& peer) const {
    LinkInfo info;
    const bool local = address_.scheme == Scheme::unix_socket;
    info.scheme = local ? "unix" : "tcp";
    info.local = local ? address_.host : endpoint_text(local_address(fd));
    info.peer = endpoint_text(peer);
    if (local && info.peer.empty()) info.peer = "unix peer";
    return info;
  }

  // What the connection died of before it was accepted is no concern of the listener.
  bool go_on_after(int error) {
    if (error == EAGAIN || error == EWOULDBLOCK) return false;
    if (!is_shortage(error)) return true;
    ++stats_.pauses;
    accept_pauses.add();
    loop_.timers().add(*this, loop_.now() + kAcceptPause);
    if (std::exchange(pause_reported_, true)) return false;
    const Error shortage(Errc::listen_failed, to_string(address_) + ": " + system_text(error));
    log_warn("accepting rests until the system has resources again",
             {{"cause", shortage.detail()}});
    events_.on_accept_paused(shortage);
    return false;
  }
  static void pause_over(Timer* timer) noexcept {
    static_cast<SocketListener*>(timer)->on_readable();
  }

  Loop& loop_;
  Address address_;
  ListenOptions options_;
  AcceptEvents& events_;
  Ref<SocketStream> socket_;
  LinkCount count_;
  ListenStats stats_;
  FileId file_;
  bool pause_reported_ = false;
};

}  // namespace

Result<std::unique_ptr<Listener>> listen_on_socket(Loop& loop, const Address& address,
                                                   const ListenOptions& options,
                                                   AcceptEvents& events) {
  SPANWIRE_TRY(Fd bound, bind_and_listen(address, options.backlog));
  SPANWIRE_TRY(Ref<SocketStream> socket, make_socket_stream(loop, std::move(bound), false));
  return std::make_unique<SocketListener>(loop, address, options, events, std::move(socket));
}

}  // namespace spanwire::transport
