#include "lib/transport/zmq/socket.hpp"

#include <sched.h>
#include <zmq.h>

#include <asio/posix/basic_stream_descriptor.hpp>
#include <cerrno>
#include <utility>

#include "lib/transport/loop_impl.hpp"
#include "lib/transport/zmq/burst.hpp"
#include "lib/transport/zmq/context.hpp"
#include "lib/transport/zmq/hand_over.hpp"
#include "lib/transport/zmq/io_thread.hpp"
#include "lib/transport/zmq/unfinished.hpp"
#include "spanwire/base/assert.hpp"

namespace spanwire::transport {
namespace {

using Descriptor = asio::posix::basic_stream_descriptor<IoExecutor>;

// Of this thread's loop.
constinit thread_local Burst burst;

}  // namespace

int descriptor_of(ZmqPart& part) noexcept { return zmq_msg_get(part.handle(), ZMQ_SRCFD); }

std::string zmq_text(int error) { return zmq_strerror(error); }

// Shared by the socket and the wait that the context still holds; libzmq owns the descriptor.
struct ZmqSocket::Wait {
  explicit Wait(Loop& loop) : descriptor(loop.context().get_executor()) {}
  HandlerMemory memory;
  Descriptor descriptor;
};

// Keeps the socket, in which its memory lies, until it has run or its context is gone.
struct ZmqSocket::Ready {
  using allocator_type = HandlerAllocator<void>;
  allocator_type get_allocator() const noexcept { return allocator_type(socket->wait_->memory); }
  void operator()(const asio::error_code&) const {
    socket->armed_ = false;
    if (socket->events_ == nullptr) return;
    const Loop::Step step(socket->loop_);
    socket->tell();
  }
  Ref<ZmqSocket> socket;
};

ZmqSocket::ZmqSocket(Loop& loop, int type, void* handle, ZmqIoThread& io_thread,
                     const ZmqSocketOptions& options) noexcept
    : loop_(loop),
      type_(type),
      handle_(handle),
      message_bytes_max_(options.message_bytes_max),
      receive_messages_max_(options.receive_messages_max),
      io_thread_(io_thread),
      look_job_(&ZmqSocket::look, *this),
      turn_end_(&ZmqSocket::turn_ended, *this),
      burst_timer_(&ZmqSocket::burst_timer_fired, *this) {}

ZmqSocket::~ZmqSocket() { close(std::chrono::milliseconds(0)); }

Result<Ref<ZmqSocket>> ZmqSocket::open(Loop& loop, int type, const ZmqSocketOptions& options) {
  std::shared_ptr<ZmqContext> context = ZmqContext::acquire();
  void* const handle = context != nullptr ? zmq_socket(context->handle(), type) : nullptr;
  if (handle == nullptr) {
    return fail(Errc::out_of_resources, "no ZeroMQ socket: " + zmq_text(errno));
  }
  ZmqIoThread& io_thread = context->io_thread();
  loop.keep(std::move(context));
  Ref<ZmqSocket> socket(new ZmqSocket(loop, type, handle, io_thread, options));
  SPANWIRE_TRY_VOID(socket->set(ZMQ_SNDHWM, options.send_messages_max));
  SPANWIRE_TRY_VOID(socket->set(ZMQ_RCVHWM, options.receive_messages_max));
  SPANWIRE_TRY_VOID(socket->set(ZMQ_MAXMSGSIZE, options.part_bytes_max));
  SPANWIRE_TRY_VOID(socket->set(ZMQ_LINGER, 0));
  if (options.configure) SPANWIRE_TRY_VOID(options.configure(*socket));
  SPANWIRE_TRY_VOID(socket->watch());
  return socket;
}

Result<void> ZmqSocket::watch() {
  int fd = -1;
  std::size_t size = sizeof(fd);
  zmq_getsockopt(handle_, ZMQ_FD, &fd, &size);
  auto wait = std::make_unique<Wait>(loop_);
  asio::error_code error;
  wait->descriptor.assign(fd, error);
  if (error) return fail(Errc::out_of_resources, "no ZeroMQ socket: " + error.message());
  wait_ = std::move(wait);
  return {};
}

Result<void> ZmqSocket::set_raw(int option, const void* value, std::size_t size) {
  if (zmq_setsockopt(handle_, option, value, size) == 0) return {};
  return fail(Errc::invalid_argument,
              "ZeroMQ option " + std::to_string(option) + ": " + zmq_text(errno));
}

Result<void> ZmqSocket::set(int option, int value) {
  return set_raw(option, &value, sizeof(value));
}

Result<void> ZmqSocket::set(int option, std::int64_t value) {
  return set_raw(option, &value, sizeof(value));
}

Result<void> ZmqSocket::set(int option, std::string_view bytes) {
  return set_raw(option, bytes.data(), bytes.size());
}

Result<void> ZmqSocket::bind(const std::string& endpoint) {
  if (zmq_bind(handle_, endpoint.c_str()) == 0) return {};
  const Errc code = errno == EADDRINUSE ? Errc::already_exists : Errc::listen_failed;
  return fail(code, endpoint + ": " + zmq_text(errno));
}

void ZmqSocket::unbind(const std::string& endpoint) noexcept {
  if (handle_ != nullptr) zmq_unbind(handle_, endpoint.c_str());
}

Result<void> ZmqSocket::connect(const std::string& endpoint) {
  if (zmq_connect(handle_, endpoint.c_str()) == 0) return {};
  return fail(Errc::connect_failed, endpoint + ": " + zmq_text(errno));
}

std::string ZmqSocket::last_endpoint() const {
  std::array<char, 512> text{};
  std::size_t size = text.size();
  if (zmq_getsockopt(handle_, ZMQ_LAST_ENDPOINT, text.data(), &size) != 0) return {};
  return text.data();
}

Result<void> ZmqSocket::monitor(const std::string& endpoint) {
  monitored_ = zmq_socket_monitor(handle_, endpoint.c_str(), ZMQ_EVENT_ALL) == 0;
  if (monitored_) return {};
  return fail(Errc::out_of_resources, endpoint + ": " + zmq_text(errno));
}

void ZmqSocket::stop_monitor() noexcept {
  if (std::exchange(monitored_, false)) zmq_socket_monitor(handle_, nullptr, 0);
}

void ZmqSocket::start(ZmqSocketEvents& events) {
  events_ = &events;
  look_again();
}

bool ZmqSocket::receive_part(ZmqPart& part, int flags) noexcept {
  zmq_handed_over(kZmqWire);  // libzmq drops what is in the part
  const bool received = part.receive(handle_, flags);
  SPANWIRE_ASSERT(received || flags != 0);
  return received;
}

std::size_t ZmqSocket::skip_parts() noexcept {
  ZmqPart part;
  std::size_t skipped = 0;
  do {
    receive_part(part, 0);
    ++skipped;
  } while (part.more());
  return skipped;
}

bool ZmqSocket::receive(ZmqMessage& message) {
  message.count_ = message.surplus_ = 0;
  resting_ = false;
  if (handle_ == nullptr) return false;
  if (!receive_part(message.parts_[0], ZMQ_DONTWAIT)) {
    unheard_ = false;
    return false;
  }
  if (std::exchange(sent_, false) && burst.count()) [[unlikely]]
    look_at_burst();
  // A message arrives whole or not at all.
  bool more = message.parts_[message.count_++].more();
  while (more && message.count_ < ZmqMessage::kPartsKept) {
    receive_part(message.parts_[message.count_], 0);
    more = message.parts_[message.count_++].more();
  }
  if (more) [[unlikely]]
    message.surplus_ = skip_parts();
  zmq_taken_over(kZmqWire);
  if (unfinished_ != nullptr && unfinished_->asks()) [[unlikely]] {
    unfinished_->heard(descriptor_of(message.parts_[0]));
  }
  return true;
}

bool ZmqSocket::has_unread() noexcept {
  const bool any = (ready_events() & ZMQ_POLLIN) != 0;
  // Whatever the descriptor had to tell is told by that.
  look_again();
  return any;
}

ZmqSent ZmqSocket::send(std::span<ZmqPart> parts) {
  if (handle_ == nullptr) return ZmqSent::failed;
  unheard_ = sent_ = true;
  look_at_turn_end();
  zmq_handed_over(kZmqWire);
  bool lost = false;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const int flags = ZMQ_DONTWAIT | (i + 1 < parts.size() ? ZMQ_SNDMORE : 0);
    if (parts[i].send(handle_, flags)) continue;
    // libzmq waits for the end of a message that it has given up: the rest goes the same way, or it
    // would take the next message for it.
    lost = true;
    if (i != 0) continue;
    if (errno == EAGAIN) {
      was_full_ = type_ != ZMQ_ROUTER;
      return ZmqSent::full;
    }
    return errno == EHOSTUNREACH ? ZmqSent::unreachable : ZmqSent::failed;
  }
  return lost ? ZmqSent::failed : ZmqSent::sent;
}

// Makes libzmq handle what its threads told it, which empties the descriptor.
int ZmqSocket::ready_events() noexcept {
  int events = 0;
  std::size_t size = sizeof(events);
  if (handle_ == nullptr || zmq_getsockopt(handle_, ZMQ_EVENTS, &events, &size) != 0) return 0;
  return events;
}

void ZmqSocket::look_at_turn_end() noexcept {
  if (look_listed_) return;
  if (!loop_.runs_here()) return look_again();
  look_listed_ = true;
  retain();
  loop_.at_turn_end(turn_end_);
}

void ZmqSocket::turn_ended(Job* job) noexcept {
  ZmqSocket& socket = static_cast<OwnJob*>(job)->socket;
  socket.look_listed_ = false;
  const bool was_full = std::exchange(socket.was_full_, false);
  const int wanted = (socket.resting_ ? 0 : ZMQ_POLLIN) | (was_full ? ZMQ_POLLOUT : 0);
  // Nothing that came after the last send has been missed where a receive() found nothing.
  const bool looks = std::exchange(socket.unheard_, false) || was_full;
  if (looks && socket.events_ != nullptr && (socket.ready_events() & wanted) != 0) {
    socket.look_again();
  }
  socket.release();
}

// Both sides work at the same time, on halves of what is under way.
void ZmqSocket::look_at_burst() noexcept {
  const MonotonicTime now = loop_.clock().monotonic();
  if (!burst.look(now)) return end_burst();
  if (!io_thread_.become_batch_work()) return burst.refuse(now);
  if (!burst_timer_.armed()) loop_.timers().add(burst_timer_, burst.over_at());
  sched_yield();
}

void ZmqSocket::end_burst() noexcept {
  loop_.timers().remove(burst_timer_);
  io_thread_.become_usual();
}

void ZmqSocket::burst_timer_fired(Timer* timer) noexcept {
  ZmqSocket& socket = static_cast<BurstTimer*>(timer)->socket;
  const MonotonicTime now = socket.loop_.now();
  if (burst.over_at() > now) {
    socket.loop_.timers().add(socket.burst_timer_, burst.over_at());
    return;
  }
  burst.end();
  socket.io_thread_.become_usual();
}

void ZmqSocket::look_again() {
  if (look_posted_ || events_ == nullptr) return;
  look_posted_ = true;
  retain();
  loop_.post(look_job_);
}

void ZmqSocket::look(Job* job) noexcept {
  ZmqSocket& socket = static_cast<OwnJob*>(job)->socket;
  socket.look_posted_ = false;
  socket.tell();
  socket.release();
}

void ZmqSocket::tell() {
  if (events_ == nullptr) return;
  const Ref<ZmqSocket> self(this);
  events_->on_zmq_ready();
  arm();
}

// Whoever was told has emptied the socket, or asked to look again: the next event makes the
// descriptor readable.
void ZmqSocket::arm() {
  if (armed_ || events_ == nullptr) return;
  armed_ = true;
  wait_->descriptor.async_wait(Descriptor::wait_read, Ready{Ref<ZmqSocket>(this)});
}

void ZmqSocket::close(std::chrono::milliseconds linger) noexcept {
  events_ = nullptr;
  if (handle_ == nullptr) return;
  if (burst_timer_.armed()) end_burst();
  // Cancels the wait; the descriptor is libzmq's and is closed by it.
  if (wait_ != nullptr && wait_->descriptor.is_open()) wait_->descriptor.release();
  stop_monitor();
  const int milliseconds = static_cast<int>(linger.count());
  zmq_setsockopt(handle_, ZMQ_LINGER, &milliseconds, sizeof(milliseconds));
  zmq_close(std::exchange(handle_, nullptr));
}

}  // namespace spanwire::transport
