// Client: calls services at one or more addresses.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "spanwire/base/result.hpp"
#include "spanwire/base/slice.hpp"
#include "spanwire/base/task.hpp"
#include "spanwire/rpc/options.hpp"
#include "spanwire/rpc/outgoing_call.hpp"
#include "spanwire/rpc/path.hpp"
#include "spanwire/rpc/reply.hpp"
#include "spanwire/rpc/runtime.hpp"
#include "spanwire/rpc/stream.hpp"
#include "spanwire/rpc/typed.hpp"
#include "spanwire/trace/context.hpp"

namespace spanwire::rpc {

// How a client stands, best first news last: what one of its loops has reached counts for all.
enum class Connectivity : std::uint8_t {
  idle,        // nothing was called yet, or everything was closed in good order
  failing,     // the last attempts failed; the next one waits for its pause
  connecting,  // an attempt is under way
  ready,       // connected
  closed,      // or being shut down: no call is taken
};

struct ShutdownReport {
  std::size_t finished = 0;   // calls that were under way and ended, well or not, by the deadline
  std::size_t cancelled = 0;  // calls that were still under way then, and were cancelled
  std::size_t not_sent = 0;   // of these: nothing of them was written, the server has not seen them
  std::size_t refused = 0;    // calls that were made during the shutdown
  // What connections that were closed had to write and their peers did not take; of what libzmq had
  // been given nobody can tell.
  std::size_t unwritten_bytes = 0;
  std::chrono::nanoseconds took{};
  std::string text() const;
};

// Safe from any thread.  The destructor ends what is in flight with shutting_down; it must not run
// on one of the runtime's own threads while other threads still call.
//
// Addresses: "tcp://host:port", "unix:///path", "memory://name", "zmq+tcp://host:port",
// "zmq+ipc:///path", "zmq+inproc://name", "dynamo+tcp://host:port" (wire v1), several parted by
// commas.  A malformed one fails every call with bad_address.
//
// Every call makes a client span and ends exactly once.  A failed call's error carries a
// CallFailure (see call_failure()).  Errors: deadline_exceeded, cancelled, not_connected,
// connection_lost, queue_full, call_failed (the server's status), forked, shutting_down, and the
// limits' own.
class Client {
 public:
  Client(Runtime& runtime, std::string_view addresses, ClientOptions options = {});
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // co_await gives Result<Reply>.  Resumes on the executor of the awaiting task, which may be any.
  UnaryCall call(trace::Context context, Path path, Slice payload, const CallOptions& options = {});

  // Typed: Codec<Question> writes, Codec<Answer> reads.
  template <class Question, class Answer>
  Task<Result<Answer>> call(trace::Context context, Path path, Question question,
                            CallOptions options = {}) {
    SPANWIRE_CO_TRY(Slice payload, Codec<Question>::encode(question));
    SPANWIRE_CO_TRY(Reply reply, co_await call(std::move(context), std::move(path),
                                               std::move(payload), options));
    co_return Codec<Answer>::decode(reply.payload());
  }

  // Returns once the request is handed to a connection; failures to get that far are its errors.
  Task<Result<Stream>> open(trace::Context context, Path path, Slice payload,
                            CallOptions options = {});

  // One way: returns when the message is handed to a connection.  What the handler answers is
  // dropped.
  Task<Result<void>> notify(trace::Context context, Path path, Slice payload,
                            CallOptions options = {});

  // From a thread that is not the runtime's; on one that is: would_deadlock.
  Result<Reply> call_blocking(trace::Context context, Path path, Slice payload,
                              const CallOptions& options = {});
  Result<Stream> open_blocking(trace::Context context, Path path, Slice payload,
                               const CallOptions& options = {});

  // Connects, and waits until calls can be sent at once: every loop that makes calls for this
  // client has a connection.  Fails with bad_address, deadline_exceeded (with what the last attempt
  // said), cancelled, shutting_down, forked.
  Task<Result<void>> ready(std::chrono::nanoseconds timeout = kReadyTimeout);
  // The same from a thread that is not the runtime's; on one that is: would_deadlock.
  Result<void> ready_blocking(std::chrono::nanoseconds timeout = kReadyTimeout);
  // A moment's state: old by the time it is read.
  Connectivity connectivity() const noexcept;

  // Ends in good order, for good.  From now on calls fail with shutting_down.  Calls under way,
  // also those that wait for a connection, may end until `timeout` has passed; the rest is
  // cancelled: it fails with cancelled and its server is told.  Then connections are closed, once
  // all that was queued on them is written, in at most one second more; that bounds
  // ZmqOptions::linger too.  Zero cancels at once.  A stream is under way until its server has
  // ended it.  A second shutdown() waits as well, and cancels at its own deadline if that is
  // earlier.
  Task<ShutdownReport> shutdown(std::chrono::nanoseconds timeout);
  // The same from a thread that is not the runtime's; on one that is: would_deadlock.  Fails with
  // forked.
  Result<ShutdownReport> shutdown_blocking(std::chrono::nanoseconds timeout);

  // `done` runs once, on a thread of the runtime.  The base of async_call (see rpc/async.hpp).
  void call_then(trace::Context context, Path path, Slice payload, const CallOptions& options,
                 std::function<void(Result<Reply>)> done);

 private:
  std::shared_ptr<class ClientCore> core_;
};

}  // namespace spanwire::rpc
