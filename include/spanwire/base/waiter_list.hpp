// WaiterList: who waits for a queue or a semaphore, oldest first.  For the awaitables of this
// layer.
#pragma once

#include <cstddef>

#include "spanwire/base/errc.hpp"
#include "spanwire/base/suspension.hpp"

namespace spanwire::detail {

// One waiting task.  The links and the outcome belong to the owner's lock until the waiter is
// resumed.
class Waiter : public Suspension {
 public:
  bool linked() const noexcept { return linked_; }

 private:
  friend class WaiterList;
  Waiter* previous_ = nullptr;
  Waiter* next_ = nullptr;
  bool linked_ = false;
};

// Under its owner's lock.
class WaiterList {
 public:
  bool empty() const noexcept { return first_ == nullptr; }
  std::size_t size() const noexcept { return size_; }
  Waiter* first() const noexcept { return first_; }

  void push(Waiter& waiter) noexcept {
    waiter.previous_ = last_;
    waiter.next_ = nullptr;
    waiter.linked_ = true;
    (last_ != nullptr ? last_->next_ : first_) = &waiter;
    last_ = &waiter;
    ++size_;
  }
  void remove(Waiter& waiter) noexcept {
    (waiter.previous_ != nullptr ? waiter.previous_->next_ : first_) = waiter.next_;
    (waiter.next_ != nullptr ? waiter.next_->previous_ : last_) = waiter.previous_;
    waiter.linked_ = false;
    --size_;
  }
  // The oldest, or null.
  Waiter* pop() noexcept {
    Waiter* waiter = first_;
    if (waiter != nullptr) remove(*waiter);
    return waiter;
  }

 private:
  Waiter* first_ = nullptr;
  Waiter* last_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace spanwire::detail
