// CallFailure: what a failed call can say: what broke, where, and how far it had got.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "spanwire/base/result.hpp"
#include "spanwire/rpc/status.hpp"

namespace spanwire::rpc {

// How far the call had got.  Whether it may have run: not for not_sent and not_started.
enum class Reached : std::uint8_t { not_sent, not_started, sent, started, first_byte };
std::string_view name(Reached reached) noexcept;

// Where a call's time went; zero for what did not happen or was not seen.
struct Phases {
  std::chrono::nanoseconds resolve{};     // waited for the name of the connection that took it
  std::chrono::nanoseconds connect{};     // and for its connect and handshake
  std::chrono::nanoseconds pool_wait{};   // waited otherwise until a connection took it
  std::chrono::nanoseconds network{};     // sent to reply, less the handler's time
  std::chrono::nanoseconds handler{};     // as the server says
  std::chrono::nanoseconds first_byte{};  // sent to the first thing that came back
};

// Carried by the Error of each failed call; `detail` (of ErrorInfo) holds what the cause itself
// said until make_call_error makes the whole line of it.  Immutable, safe from any thread.
struct CallFailure : ErrorInfo {
  CallFailure() : ErrorInfo(std::string()) {}

  StatusCode status = StatusCode::unknown;
  // What broke: the error's own code, but of connection_lost what ended the connection
  // (connection_reset, ping_timeout, ...).
  Errc cause = Errc::ok;
  Reached reached = Reached::not_sent;
  std::string status_message;  // the peer's words
  std::string path;
  std::string peer;  // empty when none was picked
  int attempt = 1;
  Phases phases;
  std::chrono::milliseconds retry_after{0};  // as the server asked; 0 when it did not
};

// The failure behind an error of call, open or a stream; null when the error is of another origin.
const CallFailure* call_failure(const Error& error) noexcept;

// The status of a failed call, also for an error without CallFailure.
StatusCode status_of(const Error& error) noexcept;

// The one place that makes a call's error: fills `detail` with one line that names all of it, and
// `cause` with the code unless it is set.
Error make_call_error(Errc code, CallFailure failure);

}  // namespace spanwire::rpc
