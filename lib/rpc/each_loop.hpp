// on_each: what a client or a server does on all of its loops at the same time.
#pragma once

#include <chrono>
#include <memory>
#include <utility>
#include <vector>

#include "lib/rpc/hop.hpp"
#include "spanwire/base/task.hpp"

namespace spanwire::rpc {

// What calls under way get to end in, and connections to write, when they were cancelled at the
// deadline of a drain or a shutdown.
inline constexpr std::chrono::nanoseconds kCancelGrace = std::chrono::seconds(1);
// What a longer time to drain or to shut down is taken for: it is added to a time.
inline constexpr std::chrono::nanoseconds kDrainMax = std::chrono::hours(24 * 365);

template <class T>
Task<T> on_loop(Executor* loop, Task<T> task) {
  co_return co_await run_on(*loop, std::move(task));
}

// The same work on every loop, for when_all(): what one loop waits is not added to what others
// wait.
template <class Part, class T, class... Arguments>
std::vector<Task<T>> on_each(const std::vector<std::unique_ptr<Part>>& parts,
                             Task<T> (Part::*work)(Arguments...), Arguments... arguments) {
  std::vector<Task<T>> tasks;
  for (const auto& part : parts) {
    tasks.push_back(on_loop(&part->loop(), (part.get()->*work)(arguments...)));
  }
  return tasks;
}

}  // namespace spanwire::rpc
