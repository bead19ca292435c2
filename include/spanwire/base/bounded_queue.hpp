// BoundedQueue<T>: a queue between tasks, or between threads and tasks, that pushes back when full.
#pragma once

#include <algorithm>
#include <coroutine>
#include <cstddef>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "spanwire/base/result.hpp"
#include "spanwire/base/waiter_list.hpp"

namespace spanwire {

// First in, first out for items, for who pushes and for who pops.  Safe from any thread; push() and
// pop() are awaited in tasks.  Room grows with use up to the capacity.  Must outlive who waits in
// it. Calls that let somebody go on may run that task before they return, if both live on one
// executor.
template <class T>
class BoundedQueue {
 public:
  explicit BoundedQueue(std::size_t capacity) : capacity_(capacity) {
    SPANWIRE_ASSERT(capacity > 0);
  }
  ~BoundedQueue() { SPANWIRE_ASSERT(pushers_.empty() && poppers_.empty()); }
  BoundedQueue(const BoundedQueue&) = delete;
  BoundedQueue& operator=(const BoundedQueue&) = delete;

  class Push;
  class Pop;

  // co_await push(item): Result<void>.  Waits for room; fails with cancelled, or with the cause of
  // close(): the item is destroyed then.
  [[nodiscard]] Push push(T item) { return Push(*this, std::move(item)); }
  // co_await pop(): Result<T>.  Waits for an item; fails with cancelled, or with the cause of
  // close() once the queue is empty.
  [[nodiscard]] Pop pop() noexcept { return Pop(*this); }

  // Fails with queue_full or the cause of close(), and leaves `item` as it was.
  Result<void> try_push(T&& item) {
    detail::Waiter* popper = nullptr;
    {
      const std::lock_guard lock(mutex_);
      if (closed_) return fail(cause_);
      if (full()) return fail(Errc::queue_full);
      popper = put(item);
    }
    if (popper != nullptr) popper->resume();
    return {};
  }
  // Nothing if the queue is empty.
  std::optional<T> try_pop() {
    std::optional<T> item;
    detail::Waiter* pusher = nullptr;
    {
      const std::lock_guard lock(mutex_);
      pusher = get(item);
    }
    if (pusher != nullptr) pusher->resume();
    return item;
  }

  // Ends the queue: what is in it can still be popped, everything else fails with `cause`.  Only
  // the first call counts.  Waiting tasks are resumed later.
  void close(Error cause = Errc::stream_closed) {
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    closed_ = true;
    cause_ = std::move(cause);
    // A waiting popper means that there is nothing left to pop.
    while (detail::Waiter* popper = poppers_.pop()) {
      static_cast<Pop*>(popper)->error_ = cause_;
      popper->resume_later();
    }
    while (detail::Waiter* pusher = pushers_.pop()) {
      static_cast<Push*>(pusher)->error_ = cause_;
      pusher->resume_later();
    }
  }

  bool closed() const {
    const std::lock_guard lock(mutex_);
    return closed_;
  }
  std::size_t size() const {
    const std::lock_guard lock(mutex_);
    return size_;
  }
  std::size_t capacity() const noexcept { return capacity_; }
  // Tasks that wait in push() or pop().
  std::size_t waiting() const {
    const std::lock_guard lock(mutex_);
    return pushers_.size() + poppers_.size();
  }

 private:
  static constexpr std::size_t kSlotsMin = 8;

  bool full() const noexcept { return size_ == capacity_; }

  // Takes `item`, which there is room for; returns who is to be resumed for it.
  detail::Waiter* put(T& item) {
    if (detail::Waiter* popper = poppers_.pop()) {
      static_cast<Pop*>(popper)->item_.emplace(std::move(item));
      return popper;
    }
    if (size_ == slots_.size()) grow();
    slots_[(head_ + size_) % slots_.size()].emplace(std::move(item));
    ++size_;
    return nullptr;
  }
  // Gives the oldest item, if there is one; returns whose item took the room.
  detail::Waiter* get(std::optional<T>& item) {
    if (size_ == 0) return nullptr;
    item.emplace(std::move(*slots_[head_]));
    slots_[head_].reset();
    head_ = (head_ + 1) % slots_.size();
    --size_;
    detail::Waiter* pusher = pushers_.pop();
    if (pusher != nullptr) put(static_cast<Push*>(pusher)->item_);
    return pusher;
  }
  void grow() {
    std::vector<std::optional<T>> wider(
        std::min(capacity_, std::max(kSlotsMin, slots_.size() * 2)));
    for (std::size_t i = 0; i < size_; ++i)
      wider[i] = std::move(slots_[(head_ + i) % slots_.size()]);
    slots_ = std::move(wider);
    head_ = 0;
  }
  // False if the waiter is not in the list any more: its resumption is on the way.
  bool leave(detail::WaiterList& list, detail::Waiter& waiter) {
    const std::lock_guard lock(mutex_);
    if (!waiter.linked()) return false;
    list.remove(waiter);
    return true;
  }

  mutable std::mutex mutex_;
  const std::size_t capacity_;
  std::vector<std::optional<T>> slots_;
  std::size_t head_ = 0;
  std::size_t size_ = 0;
  bool closed_ = false;
  Error cause_;
  detail::WaiterList pushers_;
  detail::WaiterList poppers_;
};

template <class T>
class [[nodiscard]] BoundedQueue<T>::Push : private detail::Waiter {
 public:
  bool await_ready() const noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> handle) {
    detail::Waiter* popper = nullptr;
    {
      const std::lock_guard lock(queue_.mutex_);
      if (queue_.closed_) {
        error_ = queue_.cause_;
        return false;
      }
      if (queue_.full()) return wait(handle);
      popper = queue_.put(item_);
    }
    if (popper != nullptr) popper->resume();
    return false;
  }
  Result<void> await_resume() {
    if (error_.code() != Errc::ok) return fail(std::move(error_));
    return {};
  }

 private:
  friend class BoundedQueue;
  Push(BoundedQueue& queue, T item) : queue_(queue), item_(std::move(item)) {}

  template <class Promise>
  bool wait(std::coroutine_handle<Promise> handle) {
    if (!suspend(handle, &Push::on_cancel)) {
      error_ = Errc::cancelled;
      return false;
    }
    queue_.pushers_.push(*this);
    return true;
  }
  static void on_cancel(Suspension* suspension) noexcept {
    auto* self = static_cast<Push*>(suspension);
    if (!self->queue_.leave(self->queue_.pushers_, *self)) return;
    self->error_ = Errc::cancelled;
    self->resume();
  }

  BoundedQueue& queue_;
  T item_;
  Error error_;
};

template <class T>
class [[nodiscard]] BoundedQueue<T>::Pop : private detail::Waiter {
 public:
  bool await_ready() const noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> handle) {
    detail::Waiter* pusher = nullptr;
    {
      const std::lock_guard lock(queue_.mutex_);
      pusher = queue_.get(item_);
      if (!item_) {
        if (!queue_.closed_) return wait(handle);
        error_ = queue_.cause_;
      }
    }
    if (pusher != nullptr) pusher->resume();
    return false;
  }
  Result<T> await_resume() {
    if (!item_) return fail(std::move(error_));
    return std::move(*item_);
  }

 private:
  friend class BoundedQueue;
  explicit Pop(BoundedQueue& queue) noexcept : queue_(queue) {}

  template <class Promise>
  bool wait(std::coroutine_handle<Promise> handle) {
    if (!suspend(handle, &Pop::on_cancel)) {
      error_ = Errc::cancelled;
      return false;
    }
    queue_.poppers_.push(*this);
    return true;
  }
  static void on_cancel(Suspension* suspension) noexcept {
    auto* self = static_cast<Pop*>(suspension);
    if (!self->queue_.leave(self->queue_.poppers_, *self)) return;
    self->error_ = Errc::cancelled;
    self->resume();
  }

  BoundedQueue& queue_;
  std::optional<T> item_;
  Error error_;
};

}  // namespace spanwire
