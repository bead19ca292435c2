// CallList: outgoing calls of one pool, oldest first.  A call is in one list at most.
#pragma once

#include <cstddef>

#include "spanwire/rpc/outgoing_call.hpp"

namespace spanwire::rpc {

class CallList {
 public:
  bool empty() const noexcept { return first_ == nullptr; }
  std::size_t size() const noexcept { return size_; }
  OutgoingCall* first() const noexcept { return first_; }
  static OutgoingCall* after(const OutgoingCall& call) noexcept { return call.next_; }

  void push_back(OutgoingCall& call) noexcept {
    call.previous_ = last_;
    call.next_ = nullptr;
    (last_ != nullptr ? last_->next_ : first_) = &call;
    last_ = &call;
    ++size_;
  }
  void push_front(OutgoingCall& call) noexcept {
    call.previous_ = nullptr;
    call.next_ = first_;
    (first_ != nullptr ? first_->previous_ : last_) = &call;
    first_ = &call;
    ++size_;
  }
  void remove(OutgoingCall& call) noexcept {
    (call.previous_ != nullptr ? call.previous_->next_ : first_) = call.next_;
    (call.next_ != nullptr ? call.next_->previous_ : last_) = call.previous_;
    --size_;
  }

 private:
  OutgoingCall* first_ = nullptr;
  OutgoingCall* last_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace spanwire::rpc
