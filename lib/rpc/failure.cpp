#include "spanwire/rpc/failure.hpp"

#include <array>

#include "lib/rpc/shown_path.hpp"

namespace spanwire::rpc {
namespace {

void add_phase(std::string& text, std::string_view what, std::chrono::nanoseconds time) {
  if (time.count() <= 0) return;
  text.append(", ").append(what).append(" ");
  text.append(std::to_string(time.count() / 1000)).append(" us");
}

std::string line_of(const CallFailure& failure) {
  std::string text(name(failure.status));
  if (!failure.status_message.empty()) text.append(" '").append(failure.status_message).append("'");
  text.append(", path ").append(shown_path(failure.path));
  text.append(", peer ").append(failure.peer.empty() ? "none" : failure.peer);
  text.append(", attempt ").append(std::to_string(failure.attempt));
  text.append(", ").append(name(failure.reached));
  add_phase(text, "resolve", failure.phases.resolve);
  add_phase(text, "connect", failure.phases.connect);
  add_phase(text, "pool wait", failure.phases.pool_wait);
  add_phase(text, "network", failure.phases.network);
  add_phase(text, "handler", failure.phases.handler);
  add_phase(text, "first byte", failure.phases.first_byte);
  if (failure.retry_after.count() > 0) {
    text.append(", retry after ").append(std::to_string(failure.retry_after.count())).append(" ms");
  }
  return text;
}

}  // namespace

std::string_view name(Reached reached) noexcept {
  static constexpr std::array<std::string_view, 5> kNames = {"not sent", "not started", "sent",
                                                             "started", "first byte"};
  return kNames[static_cast<std::size_t>(reached)];
}

const CallFailure* call_failure(const Error& error) noexcept {
  return dynamic_cast<const CallFailure*>(error.info().get());
}

StatusCode status_of(const Error& error) noexcept {
  const CallFailure* failure = call_failure(error);
  return failure != nullptr ? failure->status : status_code_of(error.code());
}

Error make_call_error(Errc code, CallFailure failure) {
  if (failure.cause == Errc::ok) failure.cause = code;
  std::string line = line_of(failure);
  if (!failure.detail.empty()) line.append("; ").append(failure.detail);
  failure.detail = std::move(line);
  return Error(code, std::make_shared<const CallFailure>(std::move(failure)));
}

}  // namespace spanwire::rpc
