// Server: listens, routes calls to handlers, admits, drains.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "spanwire/base/result.hpp"
#include "spanwire/base/task.hpp"
#include "spanwire/rpc/call.hpp"
#include "spanwire/rpc/options.hpp"
#include "spanwire/rpc/path.hpp"
#include "spanwire/rpc/runtime.hpp"
#include "spanwire/rpc/status.hpp"
#include "spanwire/rpc/typed.hpp"

namespace spanwire::rpc {

// Paths that every server answers.
inline constexpr std::string_view kHealthPath = "spanwire/health";  // "SERVING" or "NOT_SERVING"
inline constexpr std::string_view kRoutesPath = "spanwire/routes";  // one path a line

using Handler = std::function<Task<Status>(Call&)>;
using BlockingHandler = std::function<Status(Call&)>;

// Where a handler that may block runs.
class RunOn {
 public:
  // `threads` threads of the route's own, named after its path.
  static RunOn pool(unsigned threads) noexcept { return RunOn(threads); }
  unsigned threads() const noexcept { return threads_; }

 private:
  explicit RunOn(unsigned threads) noexcept : threads_(threads) {}
  unsigned threads_;
};

struct DrainReport {
  std::size_t finished = 0;   // calls that ended during the drain
  std::size_t abandoned = 0;  // calls that still ran at its deadline and were cancelled
  // Calls that came during the drain and whose handler was not started, whoever refused them: the
  // server's limits, a connection that takes no new calls (v2 behind its goaway, v1 with "shutting
  // down"), a damaged or unaffordable request, a path that nobody serves.  Peers that know of the
  // drain send none; what they sent before they knew is in here.
  std::size_t refused = 0;
  std::chrono::nanoseconds took{};
  std::string text() const;
};

// Safe from any thread, but handle() only before start().  Handlers run on the loop of the
// connection that the call came on.
class Server {
 public:
  explicit Server(Runtime& runtime, ServerOptions options = {});
  // Closes at once what was not drained; waits until no handler of this server runs, also for those
  // that a drain left behind.  A Call that was moved out counts as one that runs until it is
  // finished or dropped.  On a runtime's thread, which cannot wait, what the handlers need lives
  // on until the last of them has ended.  In a forked child it does nothing: what is in it is the
  // parent's.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // A coroutine handler, on the connection's loop: must not block.
  void handle(Path path, Handler handler);
  // A plain function that may block, on threads of its own.  A call that was given up before one of
  // them was free ends without it ("spanwire.rpc.server.skipped_handlers").
  void handle(Path path, BlockingHandler handler, RunOn where);
  // Typed: Task<Result<Answer>> handler(Call&, Question).
  template <class Question, class Answer, class Function>
  void handle_typed(Path path, Function function) {
    handle(std::move(path), Handler([function = std::move(function)](Call& call) {
             return run_typed<Question, Answer>(function, call);
           }));
  }

  // Binds and listens on every address of the options; nothing is left bound when one fails.
  Result<void> start();
  // The addresses with the ports that the system gave, in the options' order.
  std::vector<std::string> addresses() const;
  // Also listens here (as options.listen), before or after start; returns the bound address.
  Result<std::string> listen(std::string address, ListenOptions options = {});

  // What the health path answers; true from start() on.
  void set_serving(bool serving) noexcept;
  std::size_t running() const noexcept;

  // Stops listening, tells every peer (goaway), lets calls finish, cancels the rest at the
  // deadline and gives their handlers one second more, on all loops at the same time.
  Task<DrainReport> drain(std::chrono::nanoseconds timeout);
  // From a thread that is not the runtime's.
  DrainReport drain_blocking(std::chrono::nanoseconds timeout);

  // Takes SIGTERM and SIGINT over, which until then do what they do in any program; starts unless
  // started, waits for one of the two, drains with options.drain_timeout and returns the report.
  // From a thread that is not the runtime's.
  Result<DrainReport> run_until_signal();

 private:
  template <class Question, class Answer, class Function>
  static Task<Status> run_typed(const Function& function, Call& call) {
    Result<Question> question = Codec<Question>::decode(call.payload().view());
    if (!question) co_return Status(StatusCode::invalid_argument, question.error().message());
    Result<Answer> answer = co_await function(call, std::move(*question));
    if (!answer) co_return Status(status_code_of(answer.error().code()), answer.error().message());
    Result<Slice> payload = Codec<Answer>::encode(*answer);
    if (!payload) co_return Status(StatusCode::internal, payload.error().message());
    call.reply(std::move(*payload));
    co_return Status::ok();
  }

  std::shared_ptr<class ServerCore> core_;
};

}  // namespace spanwire::rpc
