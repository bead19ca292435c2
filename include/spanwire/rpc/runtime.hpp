// Runtime: the threads and loops that clients and servers share.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>

#include "spanwire/base/blocking.hpp"
#include "spanwire/base/spawn.hpp"
#include "spanwire/base/task.hpp"
#include "spanwire/rpc/options.hpp"
#include "spanwire/transport/loop.hpp"
#include "spanwire/transport/resolver.hpp"

namespace spanwire::rpc {

// Outlives every Client and Server made with it.  Safe from any thread, except for the destructor.
// In a forked child an inherited Runtime is dead: what uses it gets Errc::forked.
class Runtime {
 public:
  // Starts `options.threads` threads.
  explicit Runtime(RuntimeOptions options = {});
  // Adopts a loop that the user runs: the io_context must have exactly one runner (asserted).
  explicit Runtime(asio::io_context& context);
  // Stops the loops; joins the threads of an own runtime.  Tasks that still wait are cancelled.
  ~Runtime();
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  std::size_t loops() const noexcept;
  transport::Loop& loop(std::size_t index) noexcept;
  // The calling thread's loop when it is one of this runtime's, else each in turn.
  transport::Loop& any_loop() noexcept;
  bool on_runtime_thread() const noexcept;
  bool inherited_over_fork() const noexcept;
  // For host names.
  transport::Resolver& resolver() noexcept;

  // Starts a task on one of the loops and lets it run.
  void spawn(Task<void> task);
  // Runs a task on one of the loops and waits: Result<T>, or T where that is a Result already.
  // Fails with would_deadlock on a loop's thread, with forked in a forked child.
  template <class T>
  typename detail::BlockingResult<T>::Type block_on(Task<T> task) {
    if (inherited_over_fork()) return fail(Errc::forked);
    return ::spanwire::block_on(any_loop(), std::move(task));
  }

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace spanwire::rpc
