// when_all, when_any: several tasks at a time, on the executor of whoever awaits.
#pragma once

#include <array>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "spanwire/base/cancel_scope.hpp"
#include "spanwire/base/task.hpp"

namespace spanwire {

namespace detail {

template <class T>
using Lifted = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

template <class T>
Lifted<T> take_lifted(Task<T>& task) {
  if constexpr (std::is_void_v<T>) {
    task.take_result();
    return {};
  } else {
    return task.take_result();
  }
}

// Waits for the end of all tasks of a group; in a race the first end cancels the others.
class TaskGroup : private Suspension {
 public:
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

  // One task of the group.
  class Member : protected TaskHook {
   protected:
    using Start = void (*)(Member* self, Executor& home, TaskHook& hook, CancelScope* scope);
    explicit Member(Start start) noexcept : TaskHook{&Member::on_done}, start_(start) {}

   private:
    friend class TaskGroup;
    static void on_done(TaskHook* hook) noexcept {
      auto* self = static_cast<Member*>(hook);
      self->group_->member_done(self->index_);
    }
    Start start_;
    TaskGroup* group_ = nullptr;
    std::size_t index_ = 0;
  };

  explicit TaskGroup(bool race) noexcept : race_(race) {}
  void add(Member& member) { members_.push_back(&member); }
  // Who ended first.
  std::size_t winner() const noexcept { return winner_; }

  bool await_ready() const noexcept { return members_.empty(); }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> handle) {
    static_cast<void>(suspend(handle));
    return start_all(handle.promise().scope());
  }
  void await_resume() const noexcept {}

 private:
  bool start_all(CancelScope* scope);
  void member_done(std::size_t index) noexcept;

  const bool race_;
  std::size_t open_ = 1;  // one for start_all itself
  std::size_t winner_ = kNone;
  std::optional<CancelScope> race_scope_;
  std::vector<Member*> members_;
};

template <class T>
class GroupMember final : public TaskGroup::Member {
 public:
  explicit GroupMember(Task<T> member_task)
      : Member(&GroupMember::start_task), task(std::move(member_task)) {}
  Task<T> task;

 private:
  static void start_task(Member* self, Executor& home, TaskHook& hook, CancelScope* scope) {
    static_cast<GroupMember*>(self)->task.start(home, hook, scope);
  }
};

}  // namespace detail

// Awaits all of them, side by side; then their results in order (void as std::monostate), or the
// exception of the first in order that threw.  A failure does not cancel the others.
template <class... Ts>
Task<std::tuple<detail::Lifted<Ts>...>> when_all(Task<Ts>... tasks) {
  std::tuple<detail::GroupMember<Ts>...> members(std::move(tasks)...);
  detail::TaskGroup group(false);
  std::apply([&group](auto&... member) { (group.add(member), ...); }, members);
  co_await group;
  co_return std::apply(
      [](auto&... member) {
        return std::tuple<detail::Lifted<Ts>...>{detail::take_lifted(member.task)...};
      },
      members);
}

template <class T>
Task<std::vector<detail::Lifted<T>>> when_all(std::vector<Task<T>> tasks) {
  std::vector<detail::GroupMember<T>> members;
  members.reserve(tasks.size());
  detail::TaskGroup group(false);
  for (Task<T>& task : tasks) group.add(members.emplace_back(std::move(task)));
  co_await group;
  std::vector<detail::Lifted<T>> results;
  results.reserve(members.size());
  for (detail::GroupMember<T>& member : members) {
    results.push_back(detail::take_lifted(member.task));
  }
  co_return results;
}

// Awaits the first to end, cancels the others and waits for their end too.  The index of the
// variant says who was first; if that one threw, its exception is rethrown.  What the others return
// or throw is dropped.  A task after one that ends without waiting is not started.
template <class... Ts>
  requires(sizeof...(Ts) > 0)
Task<std::variant<detail::Lifted<Ts>...>> when_any(Task<Ts>... tasks) {
  using Winner = std::variant<detail::Lifted<Ts>...>;
  std::tuple<detail::GroupMember<Ts>...> members(std::move(tasks)...);
  detail::TaskGroup group(true);
  std::apply([&group](auto&... member) { (group.add(member), ...); }, members);
  co_await group;
  std::optional<Winner> winner;
  const auto take = [&]<std::size_t... I>(std::index_sequence<I...>) {
    ((I == group.winner()
          ? static_cast<void>(winner.emplace(std::in_place_index<I>,
                                             detail::take_lifted(std::get<I>(members).task)))
          : static_cast<void>(0)),
     ...);
  };
  take(std::index_sequence_for<Ts...>());
  co_return std::move(*winner);
}

// Who was first, and with what.
template <class T>
class WhenAny {
 public:
  WhenAny() = default;
  WhenAny(std::size_t index, T value) : index_(index), value_(std::move(value)) {}
  std::size_t index() const noexcept { return index_; }
  T& value() noexcept { return value_; }

 private:
  std::size_t index_ = 0;
  T value_{};
};

// The same for a list, which must not be empty.
template <class T>
Task<WhenAny<detail::Lifted<T>>> when_any(std::vector<Task<T>> tasks) {
  SPANWIRE_ASSERT(!tasks.empty());
  std::vector<detail::GroupMember<T>> members;
  members.reserve(tasks.size());
  detail::TaskGroup group(true);
  for (Task<T>& task : tasks) group.add(members.emplace_back(std::move(task)));
  co_await group;
  co_return WhenAny<detail::Lifted<T>>(group.winner(),
                                       detail::take_lifted(members[group.winner()].task));
}

}  // namespace spanwire
