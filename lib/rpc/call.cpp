#include "spanwire/rpc/call.hpp"

#include "lib/rpc/incoming_call.hpp"

namespace spanwire::rpc {

Call::Call(Call&& other) noexcept : call_(std::exchange(other.call_, nullptr)), owns_(true) {
  if (call_ != nullptr && !std::exchange(other.owns_, false)) call_->retain();
}

Call& Call::operator=(Call&& other) noexcept {
  if (this == &other) return *this;
  let_go();
  call_ = std::exchange(other.call_, nullptr);
  if (call_ != nullptr && !std::exchange(other.owns_, false)) call_->retain();
  owns_ = true;
  return *this;
}

Call::~Call() { let_go(); }

void Call::let_go() noexcept {
  if (call_ == nullptr || !owns_) return;
  call_->dropped();
  std::exchange(call_, nullptr)->release();
}

const trace::Context& Call::context() const noexcept { return call_->context(); }
trace::Span& Call::span() noexcept { return call_->span(); }
std::string_view Call::path() const noexcept { return call_->path(); }
const Slice& Call::payload() const noexcept { return call_->payload(); }

std::optional<std::string> Call::header(std::string_view name) const {
  const Headers all = headers();
  const std::optional<std::string_view> value = all.get(name);
  if (!value) return std::nullopt;
  return std::string(*value);
}

Headers Call::headers() const { return parse_headers(call_->header_block()); }
std::string_view Call::peer() const noexcept { return call_->peer(); }
bool Call::cancelled() const noexcept { return call_->cancelled(); }
bool Call::is_stream() const noexcept { return call_->is_stream(); }
void Call::reply(Slice payload) noexcept { call_->set_reply(std::move(payload)); }
void Call::set_header(std::string_view name, std::string_view value) {
  call_->set_header(name, value);
}

Task<Result<std::optional<Slice>>> Call::read() {
  if (call_->stream() != nullptr) return call_->stream()->read();
  return [](Errc code) -> Task<Result<std::optional<Slice>>> {
    co_return fail(code);
  }(Errc::not_supported);
}

Task<Result<void>> Call::write(Slice message) {
  if (call_->stream() != nullptr) return call_->stream()->write(std::move(message));
  return [](Errc code) -> Task<Result<void>> { co_return fail(code); }(Errc::not_supported);
}

TryWrite Call::try_write(Slice& message) {
  return call_->stream() != nullptr ? call_->stream()->try_write(message) : TryWrite::cancelled;
}

void Call::finish(Status status, Slice payload) {
  call_->finish(std::move(status), std::move(payload));
}

}  // namespace spanwire::rpc
