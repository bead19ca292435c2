// Status of a call: gRPC's seventeen codes with their numbers, a message, and when to try again.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "spanwire/base/result.hpp"
#include "spanwire/base/slice.hpp"

namespace spanwire::rpc {

enum class StatusCode : std::uint8_t {
  ok = 0,
  cancelled = 1,
  unknown = 2,
  invalid_argument = 3,
  deadline_exceeded = 4,
  not_found = 5,
  already_exists = 6,
  permission_denied = 7,
  resource_exhausted = 8,
  failed_precondition = 9,
  aborted = 10,
  out_of_range = 11,
  unimplemented = 12,
  internal = 13,
  unavailable = 14,
  data_loss = 15,
  unauthenticated = 16,
};

// "DEADLINE_EXCEEDED", as rpc.status_code has it; "UNKNOWN" for a number beyond 16.
std::string_view name(StatusCode code) noexcept;

// The code for a number from the wire; numbers beyond 16 are unknown.
StatusCode status_code_of(std::uint8_t number) noexcept;

// What a handler returns.  A value; ok costs nothing.
class Status {
 public:
  Status() noexcept = default;
  Status(StatusCode code) noexcept : code_(code) {}  // NOLINT: a code is a status without words
  Status(StatusCode code, std::string message)
      : code_(code), message_(Slice::of(std::move(message))) {}

  static Status ok() noexcept { return {}; }

  bool is_ok() const noexcept { return code_ == StatusCode::ok; }
  StatusCode code() const noexcept { return code_; }
  // Valid as long as this status or a copy of it.
  std::string_view message() const noexcept { return message_.text(); }

  // Tells the caller not to come back earlier; sent as the header spanwire-retry-after.
  Status& retry_after(std::chrono::milliseconds delay) noexcept {
    retry_after_ = delay;
    return *this;
  }
  std::chrono::milliseconds retry_after() const noexcept { return retry_after_; }

 private:
  StatusCode code_ = StatusCode::ok;
  std::chrono::milliseconds retry_after_{0};
  Slice message_;
};

// The status that a cause of ours is told as: the mapping of docs/errors.md.
StatusCode status_code_of(Errc code) noexcept;

}  // namespace spanwire::rpc
