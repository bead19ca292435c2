#include "lib/transport/socket_stream.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <asio/basic_stream_socket.hpp>
#include <asio/generic/stream_protocol.hpp>
#include <cerrno>
#include <utility>

#include "lib/transport/loop_impl.hpp"

namespace spanwire::transport {
namespace {

using asio::generic::stream_protocol;
using Socket = asio::basic_stream_socket<stream_protocol, IoExecutor>;

// What is thrown away at most so that closing does not turn into a reset.
constexpr std::size_t kDiscardBytesMax = 1u << 20;

class AsioSocketStream final : public SocketStream {
 public:
  AsioSocketStream(Loop& loop, bool quick_ack)
      : loop_(loop), socket_(loop.context().get_executor()), quick_ack_(quick_ack) {}

  Result<void> open(Fd fd) {
    protocol_ = stream_protocol(local_address(fd.get()).family(), 0);
    asio::error_code error;
    socket_.assign(protocol_, fd.get(), error);
    if (error) return fail(Errc::connect_failed, error.message());
    fd_ = fd.release();
    socket_.native_non_blocking(true, error);
    return {};
  }

  int fd() const noexcept override { return fd_; }
  void start(StreamEvents& events) override { events_ = &events; }

  IoResult read(std::span<const iovec> into) override {
    if (quick_ack_) arm_quick_ack();
    ssize_t bytes = 0;
    do {
      bytes = into.size() == 1 ? ::recv(fd_, into[0].iov_base, into[0].iov_len, 0)
                               : ::readv(fd_, into.data(), static_cast<int>(into.size()));
    } while (bytes < 0 && errno == EINTR);
    if (bytes > 0) return {IoStatus::ok, static_cast<std::size_t>(bytes), {}};
    if (bytes == 0) return {IoStatus::ended, 0, {}};
    if (errno == EAGAIN || errno == EWOULDBLOCK) return {IoStatus::would_block, 0, {}};
    return {IoStatus::failed, 0, read_error(errno)};
  }

  IoResult write(std::span<const iovec> from) override {
    msghdr message{};
    message.msg_iov = const_cast<iovec*>(from.data());
    message.msg_iovlen = from.size();
    ssize_t bytes = 0;
    do {
      bytes = from.size() == 1 ? ::send(fd_, from[0].iov_base, from[0].iov_len, MSG_NOSIGNAL)
                               : ::sendmsg(fd_, &message, MSG_NOSIGNAL);
    } while (bytes < 0 && errno == EINTR);
    if (bytes >= 0) return {IoStatus::ok, static_cast<std::size_t>(bytes), {}};
    if (errno == EAGAIN || errno == EWOULDBLOCK) return {IoStatus::would_block, 0, {}};
    return {IoStatus::failed, 0, write_error(errno)};
  }

  void wait_readable() override {
    if (!std::exchange(read_wait_, true))
      socket_.async_wait(Socket::wait_read, Readable{Ref(this)});
  }
  void wait_writable() override {
    if (!std::exchange(write_wait_, true)) {
      socket_.async_wait(Socket::wait_write, Writable{Ref(this)});
    }
  }

  // Unread bytes would make the system answer with a reset, which destroys what the peer has not
  // read yet.
  void end_writing() override {
    ::shutdown(fd_, SHUT_WR);
    char waste[4096];
    for (std::size_t discarded = 0; discarded < kDiscardBytesMax;) {
      const ssize_t bytes = ::recv(fd_, waste, sizeof(waste), MSG_DONTWAIT);
      if (bytes <= 0) return;
      discarded += static_cast<std::size_t>(bytes);
    }
  }

  void close() override {
    events_ = nullptr;
    asio::error_code ignored;
    socket_.close(ignored);
    fd_ = -1;
  }

 private:
  // Each keeps the stream, in which its memory lies, until it has run or its context is gone.
  struct Readable {
    using allocator_type = HandlerAllocator<void>;
    allocator_type get_allocator() const noexcept { return allocator_type(stream->read_memory_); }
    void operator()(const asio::error_code&) const { stream->readable(); }
    Ref<AsioSocketStream> stream;
  };
  struct Writable {
    using allocator_type = HandlerAllocator<void>;
    allocator_type get_allocator() const noexcept { return allocator_type(stream->write_memory_); }
    void operator()(const asio::error_code&) const { stream->writable(); }
    Ref<AsioSocketStream> stream;
  };

  // An error of the wait needs no look: the next read or write says it better.
  void readable() {
    read_wait_ = false;
    if (events_ == nullptr) return;
    const Loop::Step step(loop_);
    events_->on_readable();
  }
  void writable() {
    write_wait_ = false;
    if (events_ == nullptr) return;
    forget_writability();
    const Loop::Step step(loop_);
    events_->on_writable();
  }

  // Once a socket has waited for writability, Asio has epoll report it for ever, beside each wait
  // for reading: one wake-up more for every batch.  Only a new registration ends that.  A wait for
  // reading that is under way ends with it, finds nothing and begins anew.
  void forget_writability() {
    asio::error_code ignored;
    static_cast<void>(socket_.release(ignored));
    socket_.assign(protocol_, fd_, ignored);
  }

  // The kernel forgets the option with each packet that it sends back.
  void arm_quick_ack() const noexcept {
    const int on = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
  }

  Loop& loop_;
  stream_protocol protocol_{AF_UNSPEC, 0};
  HandlerMemory read_memory_;
  HandlerMemory write_memory_;
  Socket socket_;
  int fd_ = -1;
  StreamEvents* events_ = nullptr;
  bool read_wait_ = false;
  bool write_wait_ = false;
  bool quick_ack_;
};

}  // namespace

Result<Ref<SocketStream>> make_socket_stream(Loop& loop, Fd socket, bool quick_ack) {
  auto* stream = new AsioSocketStream(loop, quick_ack);
  Ref<SocketStream> owner(stream);
  SPANWIRE_TRY_VOID(stream->open(std::move(socket)));
  return owner;
}

}  // namespace spanwire::transport
