#include "lib/transport/socket_listener.hpp"

#include <fcntl.h>
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

bool lacks_descriptors(int error) { return error == EMFILE || error == ENFILE; }
bool is_shortage(int error) {
  return lacks_descriptors(error) || error == ENOBUFS || error == ENOMEM;
}

// A descriptor to give up when there is no other.
Fd spare_descriptor() { return Fd(::open("/dev/null", O_RDONLY | O_CLOEXEC)); }

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
        limit_(options.connections_max) {
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
  std::size_t connections() const noexcept override { return limit_.open(); }

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
    Fd socket = take(peer);
    if (!socket) return go_on_after(errno);
    shortage_told_ = false;
    if (!limit_.has_room(address_)) {
      count_refused(stats_);
      return true;
    }
    ++stats_.accepted;
    connections_accepted.add();
    set_connection_options(socket.get(), peer.family());
    LinkInfo info = info_of(socket.get(), peer);
    events_.on_accept(Incoming(std::make_unique<SocketConnection>(
        std::move(socket), limit_.take(), std::move(info), options_.write_timeout)));
    return true;
  }

  Fd take(SocketAddress& peer) noexcept {
    peer.size = sizeof(peer.storage);
    return Fd(::accept4(socket_->fd(), peer.get(), &peer.size, SOCK_NONBLOCK | SOCK_CLOEXEC));
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
    if (lacks_descriptors(error)) {
      const int shortage = std::exchange(error, refuse_with_spare());
      if (error == 0) {
        count_refused(stats_);
        tell_shortage(shortage);
        return true;
      }
    }
    if (error == EAGAIN || error == EWOULDBLOCK) return false;
    if (!is_shortage(error)) return true;
    ++stats_.pauses;
    accept_pauses.add();
    loop_.timers().add(*this, loop_.now() + kAcceptPause);
    tell_shortage(error);
    return false;
  }

  // Takes a connection by the spare descriptor and closes it.  What the system says without one
  // does not even tell whether anybody is there.
  int refuse_with_spare() {
    spare_ = Fd();
    SocketAddress peer;
    const int error = take(peer) ? 0 : errno;
    spare_ = spare_descriptor();
    return error;
  }

  void tell_shortage(int error) {
    if (std::exchange(shortage_told_, true)) return;
    const Error shortage(Errc::listen_failed, to_string(address_) + ": " + system_text(error));
    log_warn("no connection can be accepted until the system has resources again",
             {{"cause", shortage.detail()}});
    events_.on_shortage(shortage);
  }

  static void pause_over(Timer* timer) noexcept {
    static_cast<SocketListener*>(timer)->on_readable();
  }

  Loop& loop_;
  Address address_;
  ListenOptions options_;
  AcceptEvents& events_;
  Ref<SocketStream> socket_;
  LinkLimit limit_;
  ListenStats stats_;
  FileId file_;
  Fd spare_ = spare_descriptor();
  bool shortage_told_ = false;
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
