// OutgoingCall: one call on its way, in whatever style it was made; UnaryCall: what Client::call
// returns. Programs use UnaryCall only, and only to await it.
#pragma once

#include <atomic>
#include <coroutine>
#include <cstdint>
#include <memory>
#include <string>

#include "spanwire/base/cancellation.hpp"
#include "spanwire/base/result.hpp"
#include "spanwire/base/slice.hpp"
#include "spanwire/base/suspension.hpp"
#include "spanwire/base/task.hpp"
#include "spanwire/base/timer_wheel.hpp"
#include "spanwire/channel/channel.hpp"
#include "spanwire/rpc/failure.hpp"
#include "spanwire/rpc/options.hpp"
#include "spanwire/rpc/path.hpp"
#include "spanwire/rpc/reply.hpp"
#include "spanwire/trace/context.hpp"
#include "spanwire/trace/span.hpp"

namespace spanwire::transport {
class Loop;
}

namespace spanwire::rpc {

class ClientCore;
class LoopClient;
class Connection;

enum class CallKind : std::uint8_t { unary, one_way, stream };

// What a call is posted as: bases, so that it is found again without a pointer to it.
struct CallStartJob : Job {
  using Job::Job;
};
struct CallCancelJob : Job {
  using Job::Job;
};

// The life of one call: picks a connection or waits for one, injects and sends (the only place that
// does), goes elsewhere once if it was not started, is repeated if it may be, ends exactly once.
// Lives where its maker put it (a coroutine's frame, the heap) and allocates nothing for itself.
//
// Made anywhere; from start() on it belongs to the loop of its LoopClient.
class OutgoingCall : private channel::CallSink,
                     private Timer,           // the deadline, while the call runs
                     private CancelListener,  // attached while it runs and can be cancelled
                     private CallStartJob,
                     private CallCancelJob {
 public:
  OutgoingCall(ClientCore& core, CallKind kind, trace::Context&& context, Path&& path,
               Slice&& payload, const CallOptions& options);
  OutgoingCall(const OutgoingCall&) = delete;
  OutgoingCall& operator=(const OutgoingCall&) = delete;
  virtual ~OutgoingCall();

 protected:
  // Before start() only: takes over the inputs.
  OutgoingCall(OutgoingCall&& other) noexcept;

  // Finds the call's loop; false if there is none for it (forked): it has ended, see result().
  bool prepare() noexcept;
  // After prepare(): runs on the call's loop, at once if that is the calling thread's, else posted,
  // and then the call may be over when this returns.
  void start() noexcept;
  // Asks for the end; finished() follows, later, unless it has been called.  After prepare(), any
  // thread.
  void cancel(Errc reason) noexcept;

  // The last event, on the call's loop: result() is set, nothing refers to the call any more.
  virtual void finished() noexcept = 0;
  // Streams: the request was handed to a connection.
  virtual void opened() noexcept {}
  virtual void received(channel::InBody /*data*/, bool /*end*/) noexcept {}
  virtual void writable() noexcept {}

  Result<Reply>& result() noexcept { return result_; }
  bool is_open() const noexcept { return stage_ == Stage::in_flight; }
  channel::ClientChannel& open_channel() noexcept;
  channel::CallId open_id() const noexcept { return id_; }
  // Null before prepare().
  LoopClient* home() const noexcept { return home_; }
  transport::Loop& loop() noexcept;
  bool on_own_loop() const noexcept;

 private:
  friend class LoopClient;
  friend class CallList;
  enum class Stage : std::uint8_t { made, starting, waiting, in_flight, finished };

  enum class Sent : std::uint8_t { yes, ended, cannot };

  static void deadline_passed(Timer* timer) noexcept;
  static void context_cancelled(CancelListener* listener, Errc reason) noexcept;
  static void start_posted(Job* job) noexcept;
  static void cancel_posted(Job* job) noexcept;

  void on_head(ByteView headers) override;
  void on_data(channel::InBody data, bool end) override;
  void on_writable() override;
  void on_reply(channel::ReplyIn& reply) override;
  void on_lost(const Error& cause, channel::Progress progress) override;

  void begin() noexcept;
  std::chrono::nanoseconds default_timeout() const noexcept;
  // Checks that no connection changes; false when the call has ended by one.
  bool ready_to_go() noexcept;
  Result<void> intercept();
  // cannot: this connection does not take it now (full or closed), nothing has happened.  ended:
  // the call has, with its error.
  Sent try_send(Connection& connection) noexcept;
  // Whether the connection goes on: what was lost is one message.
  bool connection_lives() const noexcept;
  // Whether a call that may have run may run again; takes from the budget.
  bool may_repeat() noexcept;
  void send_again(std::string_view event) noexcept;
  void succeed(channel::ReplyIn& reply) noexcept;
  void refuse(channel::ReplyIn& reply) noexcept;
  CallFailure facts(Reached reached) const;
  // How the time was spent but for the way there and back.
  Phases waiting() const noexcept;
  // `cause`: what is behind the code, where that is another one.
  void fail_with(Errc code, std::string detail, Reached reached, Errc cause = Errc::ok) noexcept;
  void fail_with(const Error& error) noexcept;
  // `at` zero: now.
  void end(StatusCode status, MonotonicTime at = {}) noexcept;
  // True: another thread has posted a cancellation, which still refers to this call.
  bool cancel_is_posted() noexcept;
  void note_first_byte() noexcept;
  void run_cancel() noexcept;
  // How far it had come.
  Reached cancel_here(Errc reason, std::string detail = {}) noexcept;

  ClientCore* core_;
  LoopClient* home_ = nullptr;
  Connection* connection_ = nullptr;
  OutgoingCall* previous_ = nullptr;  // in the list of those that wait, or are in flight
  OutgoingCall* next_ = nullptr;
  channel::CallId id_ = 0;
  CallKind kind_;
  Stage stage_ = Stage::made;
  bool wait_for_ready_ = false;
  bool idempotent_ = false;
  bool went_elsewhere_ = false;
  bool saw_first_byte_ = false;
  std::uint8_t attempt_ = 1;
  std::uint8_t repeats_ = 0;
  bool from_elsewhere_;  // other threads than the loop's may cancel
  bool cancel_ran_ = false;
  bool finish_after_cancel_ = false;
  bool listening_ = false;
  std::atomic<Errc> cancel_reason_{Errc::ok};
  Path path_;
  Slice payload_;
  std::unique_ptr<Headers> extra_headers_;
  std::chrono::nanoseconds timeout_{0};
  MonotonicTime started_{};
  MonotonicTime sent_{};
  MonotonicTime first_byte_{};
  MonotonicTime deadline_at_{};
  trace::Context context_;
  trace::Span span_;
  Result<Reply> result_;
};

// Awaitable once.  Result<Reply>; see Client for the errors.
class [[nodiscard]] UnaryCall final : private OutgoingCall, private Suspension {
 public:
  UnaryCall(ClientCore& core, CallKind kind, trace::Context&& context, Path&& path, Slice&& payload,
            const CallOptions& options)
      : OutgoingCall(core, kind, std::move(context), std::move(path), std::move(payload), options) {
  }
  // Before it is awaited only.
  UnaryCall(UnaryCall&& other) noexcept : OutgoingCall(std::move(other)), Suspension() {}

  // The same as a task, for when_all and its like.
  Task<Result<Reply>> as_task() &&;

  bool await_ready() const noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> handle) noexcept {
    if (!suspend(handle, &UnaryCall::on_cancel)) {
      result() = fail(Errc::cancelled);
      return false;
    }
    return run();
  }
  Result<Reply> await_resume() noexcept { return std::move(result()); }

 private:
  static Task<Result<Reply>> await_call(UnaryCall call);
  static void on_cancel(Suspension* suspension) noexcept;
  // False if the call ended before the task had to wait.
  bool run() noexcept;
  void finished() noexcept override;

  enum class Wait : std::uint8_t { none, starting, waiting, done } wait_ = Wait::none;
};

}  // namespace spanwire::rpc
