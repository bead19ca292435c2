// SignalWait: until SIGTERM or SIGINT.
#pragma once

#include "spanwire/base/result.hpp"

namespace spanwire::rpc {

// Takes the two signals over while it lives; one at a time in a process.
class SignalWait {
 public:
  SignalWait() noexcept = default;
  SignalWait(SignalWait&& other) noexcept;
  SignalWait& operator=(SignalWait&& other) noexcept;
  ~SignalWait();

  // Fails with already_exists while another waits.
  static Result<SignalWait> make();
  // Returns the signal's number.
  int wait();

 private:
  bool active_ = false;
};

}  // namespace spanwire::rpc
