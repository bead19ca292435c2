// IncomingCall: one served call.  One piece of memory that is the context's block, the
// cancellation, the call's state and the copy of its headers.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include "lib/rpc/message_port.hpp"
#include "lib/rpc/server_core.hpp"
#include "spanwire/base/cancellation.hpp"
#include "spanwire/base/timer_wheel.hpp"
#include "spanwire/rpc/call.hpp"
#include "spanwire/trace/carrier.hpp"
#include "spanwire/trace/context.hpp"
#include "spanwire/trace/span.hpp"

namespace spanwire::rpc {

class ServedStream;

// What a served call is posted as: bases, so that it is found again without a pointer to it.
struct ServedStepJob : Job {
  using Job::Job;
};
struct ServedFinishJob : Job {
  using Job::Job;
};

// Counted (by its ContextBlock): the server holds one reference until the call has ended, the Call
// one, contexts the others.  Belongs to its loop; finish() and what MessagePort allows from any
// thread.
class IncomingCall final : public trace::ContextBlock,
                           private channel::ServedCallSink,
                           private TaskHook,
                           private Timer,          // its deadline
                           private ServedStepJob,  // start later, run on a pool's thread
                           private ServedFinishJob {
 public:
  // Takes the request over, starts the server span.  One reference, the server's.
  static IncomingCall* make(ServerConnection& connection, Route* route,
                            channel::RequestIn& request);

  // Runs the handler, or ends the call when an interceptor refuses it.
  void start() noexcept;
  // Starts it in a later turn.
  void start_later() noexcept;
  channel::ServedCallSink& sink() noexcept { return *this; }

  const trace::Context& context() const noexcept { return context_; }
  trace::Span& span() noexcept { return span_; }
  std::string_view path() const noexcept { return route_->path; }
  const Slice& payload() const noexcept { return payload_; }
  ByteView header_block() const noexcept { return header_block_; }
  std::string_view peer() const noexcept;
  bool is_stream() const noexcept { return stream_ != nullptr; }
  ServedStream* stream() noexcept { return stream_.get(); }
  transport::Loop& loop() noexcept { return loop_; }

  void set_reply(Slice payload) noexcept { reply_ = std::move(payload); }
  void set_header(std::string_view name, std::string_view value);
  // Any thread; the first one counts.
  void finish(Status status, Slice payload);
  // The Call that was moved out is gone.
  void dropped() noexcept;

  // ---- For its connection and server, on the loop.
  // Nobody waits for the answer any more: tells the handler.
  void give_up(Errc reason) noexcept;
  // The stream's outbox has been written: a status that waited for that may go.
  void written() noexcept;
  void send_head();

 private:
  friend class LoopServer;
  friend class ServedStream;

  ServedStepJob& step() noexcept { return *this; }
  static IncomingCall* of_step(Job* job) noexcept {
    return static_cast<IncomingCall*>(static_cast<ServedStepJob*>(job));
  }
  static void deadline_passed(Timer* timer) noexcept;
  static void finish_posted(Job* job) noexcept;

  IncomingCall(ServerConnection& connection, Route* route, channel::RequestIn& request,
               std::byte* room);
  ~IncomingCall() override = default;
  void destroy() noexcept override;

  void read_context(channel::RequestIn& request, std::byte* room);
  trace::ContextTexts own_texts(const trace::ContextTexts& texts);
  void run_blocking() noexcept;
  Status skip_handler() noexcept;
  Status call_blocking_handler() noexcept;
  static void handler_done(TaskHook* hook) noexcept;
  void handler_ended(Status status) noexcept;
  Status status_of_exception(const std::exception_ptr& exception) noexcept;
  void complete(Status status) noexcept;
  // Once it is both answered and out of its handler, it no longer counts as running.
  void leave_if_over() noexcept;
  void send_reply(const Status& status, MonotonicTime now) noexcept;
  void end_span(const Status& status, MonotonicTime now) noexcept;

  void on_data(channel::InBody data, bool end) override;
  void on_writable() override;
  void on_cancel(Errc reason) override { give_up(reason); }
  void on_lost(const Error& cause) override;

  transport::Loop& loop_;
  LoopServer& server_;
  Route* route_;
  ServerConnection& connection_;  // lives as long as its calls
  channel::CallId id_;
  bool one_way_;
  bool lost_ = false;       // the connection is gone
  bool in_handler_ = true;  // the handler has not returned
  bool ended_ = false;
  bool left_ = false;
  bool head_sent_ = false;
  Errc cancel_reason_ = Errc::ok;
  std::size_t memory_bytes_ = 0;
  IncomingCall* previous_ = nullptr;
  IncomingCall* next_ = nullptr;
  MonotonicTime began_;
  ByteView header_block_;
  Slice payload_;
  Slice reply_;
  std::unique_ptr<Headers> reply_headers_;
  std::unique_ptr<std::string> foreign_texts_;
  std::unique_ptr<ServedStream> stream_;
  std::optional<Status> waiting_status_;
  std::atomic<bool> finish_asked_{false};
  Status asked_status_;
  Slice asked_payload_;
  trace::Context context_;
  trace::Span span_;
  CancelScope scope_;
  Task<Status> task_;
  Call handle_;
};

// The messages of a served stream.
class ServedStream final : public MessagePort, public Pooled {
 public:
  explicit ServedStream(IncomingCall& call) noexcept : call_(call) { set_loop(call.loop()); }

 private:
  friend class IncomingCall;
  Result<channel::WriteResult> send_message(Slice& message, bool end) override;
  void consumed(std::size_t bytes) noexcept override;
  void port_retain() noexcept override { call_.retain(); }
  void port_release() noexcept override { call_.release(); }
  void outbox_sent() noexcept override { call_.written(); }

  IncomingCall& call_;
};

}  // namespace spanwire::rpc
