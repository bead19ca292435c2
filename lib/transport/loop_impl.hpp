// The Asio side of Loop.
#pragma once

#include <asio/basic_waitable_timer.hpp>
#include <asio/io_context.hpp>
#include <chrono>
#include <memory>
#include <optional>

#include "lib/transport/handler_memory.hpp"
#include "spanwire/transport/loop.hpp"

namespace spanwire::transport {

using IoExecutor = asio::io_context::executor_type;
// Without the erased executor: that costs an indirection for each operation.
using LoopTimer =
    asio::basic_waitable_timer<std::chrono::steady_clock,
                               asio::wait_traits<std::chrono::steady_clock>, IoExecutor>;

// Shared by the loop and the operations that a context still holds: those outlive the loop when the
// context was adopted.
struct Loop::Impl {
  explicit Impl(Loop& loop)
      : owner(&loop), own(std::in_place, ASIO_CONCURRENCY_HINT_UNSAFE_IO), context(*own) {
    timer.emplace(context);
  }
  Impl(Loop& loop, asio::io_context& adopted) : owner(&loop), context(adopted) {
    timer.emplace(context);
  }

  struct RunOutsideJobs;
  struct RunInsideJobs;
  struct TimerFired;

  Loop* owner;
  HandlerMemory outside_memory;
  HandlerMemory inside_memory;
  HandlerMemory timer_memory;
  std::optional<asio::io_context> own;
  asio::io_context& context;
  std::optional<LoopTimer> timer;
};

}  // namespace spanwire::transport
