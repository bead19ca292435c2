// TestLoop: a Loop on the test's own thread, run until something has happened, for 30 s at most.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <exception>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include "spanwire/base/spawn.hpp"
#include "spanwire/base/task.hpp"
#include "spanwire/transport/loop.hpp"

namespace spanwire::testing {

inline constexpr std::chrono::seconds kTestGuard{30};

class TestLoop {
 public:
  TestLoop() = default;
  explicit TestLoop(const Clock& clock) : loop_(clock) {}
  // Lets what was closed or cancelled come to its end.
  ~TestLoop() {
    settle();
    EXPECT_EQ(loop_.timers().armed(), 0u) << "a timer is still armed";
  }

  transport::Loop& loop() noexcept { return loop_; }

  // Turns until `happened()` is true; a failure of the test and false after 30 s.
  template <class Predicate>
  bool until(Predicate happened) {
    const auto give_up = std::chrono::steady_clock::now() + kTestGuard;
    while (!happened()) {
      if (std::chrono::steady_clock::now() >= give_up) {
        ADD_FAILURE() << "nothing happened for 30 s";
        return false;
      }
      loop_.run_one(std::chrono::milliseconds(100));
    }
    return true;
  }

  // Everything that is ready now, and what that makes ready.
  void settle() {
    while (loop_.run_one(std::chrono::nanoseconds(0))) {
    }
  }

  // Calls `function()` in a turn of the loop.
  template <class Function>
  void in_turn(Function function) {
    const transport::Loop::Step step(loop_);
    function();
  }

  // Runs the task to its end and returns what it returned; rethrows what it threw.
  template <class T>
  T run(Task<T> task) {
    bool ended = false;
    std::exception_ptr thrown;
    if constexpr (std::is_void_v<T>) {
      spawn(loop_, std::move(task), [&](Task<void>& done) {
        thrown = done.exception();
        ended = true;
      });
      finish(until([&] { return ended; }), thrown);
    } else {
      std::optional<T> result;
      spawn(loop_, std::move(task), [&](Task<T>& done) {
        thrown = done.exception();
        if (!thrown) result.emplace(done.take_result());
        ended = true;
      });
      finish(until([&] { return ended; }), thrown);
      return std::move(*result);
    }
  }

 private:
  static void finish(bool ended, const std::exception_ptr& thrown) {
    if (!ended) throw std::runtime_error("the task did not end");
    if (thrown) std::rethrow_exception(thrown);
  }

  transport::Loop loop_;
};

}  // namespace spanwire::testing
