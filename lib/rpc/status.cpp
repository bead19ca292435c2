#include "spanwire/rpc/status.hpp"

#include <array>

namespace spanwire::rpc {
namespace {

constexpr std::array<std::string_view, 17> kNames = {
    "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
    "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
    "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
    "DATA_LOSS", "UNAUTHENTICATED"};

}  // namespace

std::string_view name(StatusCode code) noexcept {
  const auto number = static_cast<std::size_t>(code);
  return number < kNames.size() ? kNames[number] : "UNKNOWN";
}

StatusCode status_code_of(std::uint8_t number) noexcept {
  return number < kNames.size() ? static_cast<StatusCode>(number) : StatusCode::unknown;
}

StatusCode status_code_of(Errc code) noexcept {
  switch (code) {
    case Errc::ok:
      return StatusCode::ok;
    case Errc::cancelled:
      return StatusCode::cancelled;
    case Errc::deadline_exceeded:
      return StatusCode::deadline_exceeded;
    case Errc::overloaded:
    case Errc::queue_full:
    case Errc::out_of_memory_budget:
    case Errc::payload_too_long:
    case Errc::path_too_long:
    case Errc::headers_too_long:
    case Errc::headers_too_many:
      return StatusCode::resource_exhausted;
    case Errc::no_route:
    case Errc::not_supported:
      return StatusCode::unimplemented;
    case Errc::handler_failed:
    case Errc::call_failed:
      return StatusCode::unknown;
    case Errc::invalid_argument:
    case Errc::bad_address:
    case Errc::path_not_utf8:
      return StatusCode::invalid_argument;
    case Errc::security_refused:
      return StatusCode::permission_denied;
    case Errc::already_exists:
      return StatusCode::already_exists;
    case Errc::not_found:
      return StatusCode::not_found;
    case Errc::broken_promise:
    case Errc::would_deadlock:
    case Errc::forked:
      return StatusCode::internal;
    default:
      // Connections, handshakes, protocol errors, shutdown: the call may do better elsewhere.
      return StatusCode::unavailable;
  }
}

}  // namespace spanwire::rpc
