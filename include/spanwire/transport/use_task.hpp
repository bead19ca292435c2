// use_task: awaits an Asio operation inside a Task.
//
//   const auto outcome = co_await timer.async_wait(use_task);
//   if (outcome.error) ...                        // std::error_code, from the operation
//   const std::size_t bytes = outcome.value;      // what it completed with behind the error, if
//   anything
//
// The operation best belongs to the io_context of the task's Loop; from another one the task is
// resumed through a post.  It begins when it is
// awaited; the object that it works on, and its buffers, outlive it.  When the task's scope is
// cancelled the operation is (with cancellation type terminal) and completes as it then does, most
// with operation_aborted; the await returns only then, so buffers stay safe.
#pragma once

#include <asio/associated_cancellation_slot.hpp>
#include <asio/async_result.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/error.hpp>
#include <coroutine>
#include <optional>
#include <system_error>
#include <tuple>
#include <type_traits>
#include <utility>

#include "spanwire/base/suspension.hpp"
#include "spanwire/transport/loop.hpp"

namespace spanwire::transport {

struct UseTask {};
inline constexpr UseTask use_task{};

// What an operation completed with: nothing, one value, or a tuple of several behind `error`.
template <class... Values>
class Outcome {
 public:
  Outcome() = default;
  explicit Outcome(std::error_code code, Values... values)
      : error(code), value(std::move(values)...) {}

  std::error_code error;
  std::conditional_t<sizeof...(Values) == 1, std::tuple_element_t<0, std::tuple<Values..., int>>,
                     std::tuple<Values...>>
      value{};
};

namespace detail {

template <class... Values>
struct OutcomeOf {
  using Type = Outcome<Values...>;
  static Type make(Values... values) { return Type({}, std::move(values)...); }
};
template <class... Values>
struct OutcomeOf<std::error_code, Values...> {
  using Type = Outcome<Values...>;
  static Type make(std::error_code error, Values... values) {
    return Type(error, std::move(values)...);
  }
};

// One await of one operation.  The handler points here; the frame keeps it alive until resumed.
template <class Initiation, class Arguments, class... Values>
class [[nodiscard]] Operation : private Suspension {
  using Make = OutcomeOf<Values...>;

 public:
  Operation(Initiation initiation, Arguments arguments)
      : initiation_(std::move(initiation)), arguments_(std::move(arguments)) {}
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;

  bool await_ready() const noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> handle) {
    if (!suspend(handle, &Operation::on_cancel)) {
      outcome_.emplace(typename Make::Type());
      outcome_->error = asio::error::make_error_code(asio::error::operation_aborted);
      return false;
    }
    std::apply(
        [this](auto&&... arguments) {
          std::move(initiation_)(Handler(this), std::forward<decltype(arguments)>(arguments)...);
        },
        std::move(arguments_));
    return true;
  }
  typename Make::Type await_resume() { return std::move(*outcome_); }

 private:
  // What Asio completes.  One that is dropped without being called belongs to a context that is
  // being destroyed, and its task is never resumed.
  class Handler {
   public:
    using cancellation_slot_type = asio::cancellation_slot;

    explicit Handler(Operation* operation) noexcept : operation_(operation) {}
    cancellation_slot_type get_cancellation_slot() const noexcept {
      return operation_->signal_.slot();
    }
    void operator()(Values... values) const {
      operation_->outcome_.emplace(Make::make(std::move(values)...));
      auto* loop = dynamic_cast<Loop*>(&operation_->home());
      if (loop == nullptr || !loop->on_its_thread()) return operation_->resume();
      const Loop::Step step(*loop);
      operation_->resume();
    }

   private:
    Operation* operation_;
  };

  static void on_cancel(Suspension* wait) noexcept {
    static_cast<Operation*>(wait)->signal_.emit(asio::cancellation_type::terminal);
  }

  Initiation initiation_;
  Arguments arguments_;
  asio::cancellation_signal signal_;
  std::optional<typename Make::Type> outcome_;
};

}  // namespace detail
}  // namespace spanwire::transport

template <class... Values>
class asio::async_result<spanwire::transport::UseTask, void(Values...)> {
 public:
  template <class Initiation, class... Arguments>
  static auto initiate(Initiation initiation, spanwire::transport::UseTask,
                       Arguments... arguments) {
    return spanwire::transport::detail::Operation<Initiation, std::tuple<Arguments...>,
                                                  std::decay_t<Values>...>(
        std::move(initiation), std::tuple<Arguments...>(std::move(arguments)...));
  }
};
