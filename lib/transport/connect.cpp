#include "lib/transport/connect.hpp"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "spanwire/base/sleep.hpp"
#include "spanwire/base/suspension.hpp"

namespace spanwire::transport {
namespace {

// A unix listener whose backlog is full cannot be waited for.
constexpr std::chrono::milliseconds kBacklogPause{5};

// Waits until a connection under way is made or has failed.
class ConnectWait final : private Suspension, private Timer, private StreamEvents {
 public:
  ConnectWait(SocketStream& stream, MonotonicTime deadline)
      : Timer(&ConnectWait::on_deadline), stream_(stream), deadline_(deadline) {}

  bool await_ready() const noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> handle) {
    if (!suspend(handle, &ConnectWait::on_cancel)) {
      error_ = Errc::cancelled;
      return false;
    }
    home().timers().add(*this, deadline_);
    stream_.start(*this);
    stream_.wait_writable();
    return true;
  }
  Result<void> await_resume() {
    if (error_.code() != Errc::ok) return fail(std::move(error_));
    return {};
  }

 private:
  void on_readable() override {}
  void on_writable() override {
    int error = 0;
    socklen_t size = sizeof(error);
    ::getsockopt(stream_.fd(), SOL_SOCKET, SO_ERROR, &error, &size);
    end(error == 0 ? Error() : Error(Errc::connect_failed, system_text(error)));
  }
  static void on_deadline(Timer* timer) noexcept {
    static_cast<ConnectWait*>(timer)->end(Errc::connect_timeout);
  }
  static void on_cancel(Suspension* wait) noexcept {
    static_cast<ConnectWait*>(wait)->end(Errc::cancelled);
  }
  void end(Error error) {
    home().timers().remove(*this);
    error_ = std::move(error);
    if (error_.code() != Errc::ok) stream_.close();
    resume();
  }

  SocketStream& stream_;
  MonotonicTime deadline_;
  Error error_;
};

// A dialled port of our own ephemeral range may be given to this very socket, which then talks to
// itself.
bool connected_to_itself(int fd) {
  const SocketAddress local = local_address(fd);
  const SocketAddress peer = peer_address(fd);
  return local.family() != AF_UNIX && local.size == peer.size &&
         std::memcmp(&local.storage, &peer.storage, local.size) == 0;
}

Task<Result<Ref<SocketStream>>> connect_one(Loop& loop, SocketAddress address, bool quick_ack,
                                            MonotonicTime deadline) {
  for (;;) {
    Fd socket = open_socket(address.family());
    if (!socket) co_return fail(Errc::connect_failed, system_text(errno));
    set_connection_options(socket.get(), address.family());
    const int outcome = ::connect(socket.get(), address.get(), address.size);
    const int error = outcome == 0 ? 0 : errno;
    if (error == EAGAIN) {
      if (loop.now() + kBacklogPause >= deadline) co_return fail(Errc::connect_timeout);
      SPANWIRE_CO_TRY_VOID(co_await sleep_for(kBacklogPause));
      continue;
    }
    if (error != 0 && error != EINPROGRESS) {
      co_return fail(Errc::connect_failed, system_text(error));
    }
    SPANWIRE_CO_TRY(Ref<SocketStream> stream,
                    make_socket_stream(loop, std::move(socket), quick_ack));
    if (error == EINPROGRESS) {
      ConnectWait wait(*stream, deadline);
      SPANWIRE_CO_TRY_VOID(co_await wait);
    }
    if (connected_to_itself(stream->fd())) {
      stream->close();
      co_return fail(Errc::connect_failed, system_text(ECONNREFUSED));
    }
    co_return stream;
  }
}

// What each address said, for the error of them all.
void note(std::string& reasons, const SocketAddress& address, const Error& error) {
  if (!reasons.empty()) reasons.append("; ");
  reasons.append(endpoint_text(address)).append(": ");
  reasons.append(error.detail().empty() ? describe(error.code()) : error.detail());
}

}  // namespace

Task<Result<Ref<SocketStream>>> connect_any(Loop& loop, SocketAddresses addresses, bool quick_ack,
                                            MonotonicTime deadline, int* attempts) {
  std::string reasons;
  Errc last = Errc::connect_failed;
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    const MonotonicTime now = loop.clock().monotonic();
    if (now >= deadline) {
      last = Errc::connect_timeout;
      break;
    }
    const auto left = static_cast<std::int64_t>(addresses.size() - i);
    ++*attempts;
    Result<Ref<SocketStream>> stream =
        co_await connect_one(loop, addresses[i], quick_ack, now + (deadline - now) / left);
    if (stream || stream.error().code() == Errc::cancelled) co_return stream;
    note(reasons, addresses[i], stream.error());
    last = stream.error().code();
  }
  co_return fail(last, std::move(reasons));
}

}  // namespace spanwire::transport
