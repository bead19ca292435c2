// MessagePort: the messages of one stream call, on either side: what came in waits here for its
// reader, what goes out passes through here.
#pragma once

#include <atomic>
#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <vector>

#include "spanwire/base/result.hpp"
#include "spanwire/base/slice.hpp"
#include "spanwire/base/suspension.hpp"
#include "spanwire/base/task.hpp"
#include "spanwire/channel/channel.hpp"
#include "spanwire/rpc/call.hpp"
#include "spanwire/transport/loop.hpp"

namespace spanwire::rpc {

// Bytes that writers on other threads may have waiting for the loop; beyond, try_write says full.
inline constexpr std::size_t kForeignOutboxBytesMax = 256u << 10;

// A reader waits for the end of the turn that brought its messages, or for so many of them: to
// resume it costs more than a message does.
inline constexpr std::size_t kMessagesAtOnce = 32;

// Base of the counted object that owns the call.  Belongs to the call's loop; try_write is safe
// from any one thread at a time.  read() and write() may be awaited on any executor, one of each at
// a time.
class MessagePort {
 public:
  MessagePort(const MessagePort&) = delete;
  MessagePort& operator=(const MessagePort&) = delete;

  Task<Result<std::optional<Slice>>> read();
  std::optional<Slice> try_read();
  Task<Result<void>> write(Slice message);
  TryWrite try_write(Slice& message);
  // No message follows.  Any one thread.
  void end_writing();

 protected:
  MessagePort() noexcept;
  ~MessagePort();

  // ---- For the owner, on the loop.
  void set_loop(transport::Loop& loop) noexcept { port_loop_ = &loop; }
  // A message, or the end of the peer's messages (`end`, maybe with a last message).
  void push(channel::InBody data, bool end);
  // The peer's side is over: readers see `why` once they have read what is here; ok means a good
  // end.
  void close_reading(const Error& why);
  // Nothing can be written any more.
  void close_writing() noexcept;
  // Room again: wakes the writer.
  void room() noexcept;
  // Messages from other threads that have not been sent.
  bool has_outbox() const noexcept { return outbox_used_.load(std::memory_order_acquire); }
  virtual void outbox_sent() noexcept {}

  virtual Result<channel::WriteResult> send_message(Slice& message, bool end) = 0;
  virtual void consumed(std::size_t bytes) noexcept = 0;
  virtual void port_retain() noexcept = 0;
  virtual void port_release() noexcept = 0;

 private:
  struct Waiter;
  // Keeps the port while it is posted.
  struct PortJob : Job {
    PortJob(MessagePort* p, void (MessagePort::*w)() noexcept) noexcept;
    MessagePort* port;
    void (MessagePort::*work)() noexcept;
  };
  struct Outgoing {
    Slice message;
    bool end;
  };

  Task<Result<std::optional<Slice>>> read_here();
  Task<Result<void>> write_here(Slice message);
  Result<std::optional<Slice>> end_of_reading() const;
  TryWrite write_now(Slice& message, bool end) noexcept;
  TryWrite post_message(Slice& message, bool end);
  void flush_outbox() noexcept;
  void wake(Waiter*& waiter) noexcept;
  void wake_reader() noexcept;

  transport::Loop* port_loop_ = nullptr;
  std::deque<Slice> in_;
  bool in_closed_ = false;
  Error in_end_;
  Waiter* reader_ = nullptr;
  bool wake_scheduled_ = false;
  PortJob wake_job_{this, &MessagePort::wake_reader};
  Waiter* writer_ = nullptr;

  std::atomic<bool> out_closed_{false};
  std::mutex outbox_mutex_;
  std::vector<Outgoing> outbox_;  // from other threads
  std::size_t outbox_bytes_ = 0;
  std::atomic<bool> outbox_used_{false};
  bool flush_posted_ = false;
  PortJob flush_job_{this, &MessagePort::room};
};

}  // namespace spanwire::rpc
