#include "lib/rpc/incoming_call.hpp"

#include <cxxabi.h>

#include <cstdlib>
#include <cstring>
#include <typeinfo>

#include "lib/rpc/call_headers.hpp"
#include "lib/rpc/metrics.hpp"
#include "lib/rpc/shown_path.hpp"
#include "lib/rpc/span_attributes.hpp"
#include "spanwire/base/log.hpp"
#include "spanwire/rpc/interceptor.hpp"
#include "spanwire/trace/wire_carrier.hpp"
#include "spanwire/wire/timeout.hpp"

namespace spanwire::rpc {
namespace {

bool inside(std::string_view text, ByteView memory) noexcept {
  const auto* begin = reinterpret_cast<const char*>(memory.data());
  return text.data() >= begin && text.data() + text.size() <= begin + memory.size();
}

// As the program's source writes it.
std::string readable_name(const std::type_info& type) {
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> text(
      abi::__cxa_demangle(type.name(), nullptr, nullptr, &status), &std::free);
  return text != nullptr ? text.get() : type.name();
}

}  // namespace

void IncomingCall::deadline_passed(Timer* timer) noexcept {
  static_cast<IncomingCall*>(timer)->give_up(Errc::deadline_exceeded);
}

IncomingCall* IncomingCall::make(ServerConnection& connection, Route* route,
                                 channel::RequestIn& request) {
  const std::size_t bytes = sizeof(IncomingCall) + request.headers.size();
  auto* memory = static_cast<std::byte*>(pool_allocate(bytes));
  auto* call = new (memory) IncomingCall(connection, route, request, memory + sizeof(IncomingCall));
  call->memory_bytes_ = bytes;
  return call;
}

IncomingCall::IncomingCall(ServerConnection& connection, Route* route, channel::RequestIn& request,
                           std::byte* room)
    : TaskHook{&IncomingCall::handler_done},
      Timer(&IncomingCall::deadline_passed),
      ServedFinishJob(&IncomingCall::finish_posted),
      loop_(connection.server().loop()),
      server_(connection.server()),
      route_(route),
      connection_(connection),
      id_(request.id),
      one_way_(request.one_way),
      began_(loop_.now()),
      payload_(request.payload.take()),
      handle_(nullptr) {
  read_context(request, room);
  if (request.stream) stream_ = std::make_unique<ServedStream>(*this);
  if (stream_ != nullptr && request.end) stream_->close_reading(Error());
  handle_.call_ = this;
}

void IncomingCall::read_context(channel::RequestIn& request, std::byte* room) {
  if (!request.headers.empty()) std::memcpy(room, request.headers.data(), request.headers.size());
  header_block_ = {room, request.headers.size()};
  wire::HeaderList& headers = server_.headers();
  if (headers.parse(header_block_) != Errc::ok) [[unlikely]]
    count_bad_header_block();
  const trace::Extracted extracted = trace::extract(headers, connection_.options().trust);
  const bool in_block = headers.in_place() && extracted.in_place();
  set_texts(in_block ? extracted.texts() : own_texts(extracted.texts()));
  cancel_with(this);
  MonotonicTime deadline{};
  if (const wire::Header* header = headers.find(wire::WellKnown::spanwire_timeout);
      header != nullptr) {
    if (const Result<std::chrono::nanoseconds> timeout = wire::parse_timeout(header->value)) {
      deadline = began_ + *timeout;
    } else {
      count_bad_timeout();
    }
  }
  // The server's reference is this context's.
  trace::Context parent = trace::Context::adopt(*this, extracted.parent(), deadline);
  span_ = start_server_span(extracted, parent, path(), true, one_way_, began_);
  context_ = std::move(parent).with_span(span_.context());
  if (deadline != MonotonicTime{}) loop_.timers().add(*this, deadline);
}

// Texts that had escapes lie in the list that the next request uses again.
trace::ContextTexts IncomingCall::own_texts(const trace::ContextTexts& texts) {
  trace::ContextTexts own = texts;
  std::string_view* const views[] = {&own.tracestate, &own.baggage, &own.x_request_id,
                                     &own.request_id};
  std::size_t foreign_bytes = 0;
  for (const std::string_view* view : views) {
    if (!inside(*view, header_block_)) foreign_bytes += view->size();
  }
  if (foreign_bytes == 0) return own;
  foreign_texts_ = std::make_unique<std::string>();
  foreign_texts_->reserve(foreign_bytes);
  for (std::string_view* view : views) {
    if (inside(*view, header_block_)) continue;
    const std::size_t at = foreign_texts_->size();
    foreign_texts_->append(*view);
    *view = std::string_view(*foreign_texts_).substr(at, view->size());
  }
  return own;
}

void IncomingCall::destroy() noexcept {
  const std::size_t bytes = memory_bytes_;
  void* const memory = this;
  this->~IncomingCall();
  pool_free(memory, bytes);
}

std::string_view IncomingCall::peer() const noexcept { return connection_.channel().info().peer; }

void IncomingCall::start_later() noexcept {
  step().run = [](Job* job) noexcept { of_step(job)->start(); };
  loop_.post(step());
}

void IncomingCall::start() noexcept {
  for (const auto& interceptor : server_.core().options().interceptors) {
    Status status = interceptor->before(handle_);
    if (status.is_ok()) continue;
    handler_ended(std::move(status));
    return;
  }
  if (route_->pool != nullptr) {
    server_.core().queued().fetch_add(1, std::memory_order_relaxed);
    step().run = [](Job* job) noexcept { of_step(job)->run_blocking(); };
    route_->pool->post(step());
    return;
  }
  loop_.label(route_->path);
  scope_.set_label(route_->path);
  try {
    task_ = route_->handler(handle_);
  } catch (...) {
    handler_ended(status_of_exception(std::current_exception()));
    return;
  }
  task_.start(loop_, *this, &scope_);
}

void IncomingCall::run_blocking() noexcept {
  server_.core().queued().fetch_sub(1, std::memory_order_relaxed);
  if (span_.recording()) {
    span_.set("spanwire.phase.queue_ns", (loop_.clock().monotonic() - began_).count());
  }
  asked_status_ = cancelled() ? skip_handler() : call_blocking_handler();
  step().run = [](Job* job) noexcept {
    IncomingCall* call = of_step(job);
    call->handler_ended(std::move(call->asked_status_));
  };
  loop_.post(step());
}

// Nobody waits for the answer: its thread is for those that somebody waits for.
Status IncomingCall::skip_handler() noexcept {
  count_skipped_handler();
  return Status(StatusCode::cancelled, "given up before a thread of the pool was free");
}

Status IncomingCall::call_blocking_handler() noexcept {
  try {
    return route_->blocking(handle_);
  } catch (...) {
    return status_of_exception(std::current_exception());
  }
}

void IncomingCall::handler_done(TaskHook* hook) noexcept {
  auto* call = static_cast<IncomingCall*>(hook);
  if (std::exception_ptr exception = call->task_.exception()) {
    call->handler_ended(call->status_of_exception(exception));
    return;
  }
  call->handler_ended(call->task_.take_result());
}

Status IncomingCall::status_of_exception(const std::exception_ptr& exception) noexcept {
  std::string what = "not a std::exception";
  std::string type;
  try {
    std::rethrow_exception(exception);
  } catch (const std::exception& e) {
    what = e.what();
    type = readable_name(typeid(e));
  } catch (...) {
    type = readable_name(*abi::__cxa_current_exception_type());
  }
  log_error("a handler threw", {{"path", shown_path(path())},
                                {"what", what},
                                trace_field(context_.span().trace_id().hex().view())});
  if (span_.recording()) span_.add_exception(type, what);
  // The text may name what a caller must not see: it stays in the span and the log.
  return Status(StatusCode::unknown, "the handler failed");
}

void IncomingCall::handler_ended(Status status) noexcept {
  in_handler_ = false;
  // A Call that was moved out ends when its holder says so.
  if (handle_.holds_call()) {
    complete(std::move(status));
    handle_.call_ = nullptr;
  }
  leave_if_over();
}

void IncomingCall::leave_if_over() noexcept {
  if (!ended_ || in_handler_ || std::exchange(left_, true)) return;
  server_.call_ended(*this);
  connection_.call_ended();
  server_.remove_if_gone(connection_);
  // Gives the server's reference back, the last act.
  trace::Context last = std::move(context_);
}

void IncomingCall::finish(Status status, Slice payload) {
  if (finish_asked_.exchange(true, std::memory_order_acq_rel)) return;
  asked_status_ = std::move(status);
  asked_payload_ = std::move(payload);
  retain();
  loop_.post(static_cast<ServedFinishJob&>(*this));
}

void IncomingCall::finish_posted(Job* job) noexcept {
  auto* call = static_cast<IncomingCall*>(static_cast<ServedFinishJob*>(job));
  if (!call->asked_payload_.empty()) call->reply_ = std::move(call->asked_payload_);
  call->complete(std::move(call->asked_status_));
  call->leave_if_over();
  call->release();
}

void IncomingCall::dropped() noexcept {
  if (finish_asked_.load(std::memory_order_acquire)) return;
  finish(Status(StatusCode::internal, "the call was dropped without an answer"), {});
}

void IncomingCall::complete(Status status) noexcept {
  if (ended_) return;
  if (stream_ != nullptr && !lost_ && stream_->has_outbox()) {
    // Messages that were taken go out before the end.
    waiting_status_.emplace(std::move(status));
    return;
  }
  ended_ = true;
  loop_.timers().remove(*this);
  if (cancel_reason_ == Errc::deadline_exceeded)
    status = Status(StatusCode::deadline_exceeded, "deadline exceeded");
  if (cancel_reason_ == Errc::cancelled && status.is_ok()) status = Status(StatusCode::cancelled);
  for (const auto& interceptor : server_.core().options().interceptors)
    interceptor->after(handle_, status);
  // Only who records reads the clock, once for all that ends here.
  const MonotonicTime now = span_.recording() ? loop_.clock().monotonic() : loop_.now();
  if (!lost_) send_reply(status, now);
  end_span(status, now);
  route_->calls.count(status.code(), now - began_, span_.context(), now);
  if (stream_ != nullptr) {
    stream_->close_writing();
    stream_->close_reading(Error(Errc::stream_closed));
  }
}

void IncomingCall::send_reply(const Status& status, MonotonicTime now) noexcept {
  CallHeaders headers;
  if (reply_headers_ != nullptr || status.retry_after().count() != 0) {
    headers.write_reply(reply_headers_.get(), status.retry_after());
  }
  channel::ReplyOut reply;
  reply.status = static_cast<std::uint8_t>(status.code());
  reply.duration = now - began_;
  reply.message = status.message();
  reply.headers = headers.view();
  reply.payload = std::move(reply_);
  connection_.channel().reply(id_, reply);
}

void IncomingCall::end_span(const Status& status, MonotonicTime now) noexcept {
  if (span_.recording()) {
    connection_.peer().add_to(span_);
    add_status(span_, status.code(), status.message());
  }
  span_.end(now);
}

void IncomingCall::give_up(Errc reason) noexcept {
  if (ended_ || cancel_reason_ != Errc::ok) return;
  cancel_reason_ = reason;
  if (span_.recording()) span_.add_event("rpc.cancel", {{"reason", name(reason)}});
  retain();
  if (stream_ != nullptr) {
    stream_->close_reading(Error(reason));
    stream_->close_writing();
  }
  scope_.request_cancel(reason);
  cancel(reason);
  release();
}

void IncomingCall::written() noexcept {
  if (!waiting_status_) return;
  Status status = std::move(*waiting_status_);
  waiting_status_.reset();
  complete(std::move(status));
  leave_if_over();
}

void IncomingCall::send_head() {
  if (std::exchange(head_sent_, true) || lost_ || ended_) return;
  CallHeaders headers;
  headers.write_reply(reply_headers_.get(), {});
  connection_.channel().head(id_, headers.view());
}

void IncomingCall::set_header(std::string_view header_name, std::string_view value) {
  if (reply_headers_ == nullptr) reply_headers_ = std::make_unique<Headers>();
  reply_headers_->set(header_name, value);
}

void IncomingCall::on_data(channel::InBody data, bool end) {
  if (stream_ != nullptr) stream_->push(std::move(data), end);
}

void IncomingCall::on_writable() {
  if (stream_ != nullptr) stream_->room();
}

void IncomingCall::on_lost(const Error& /*cause*/) {
  retain();
  lost_ = true;
  give_up(Errc::connection_lost);
  written();
  release();
}

Result<channel::WriteResult> ServedStream::send_message(Slice& message, bool /*end*/) {
  if (call_.lost_ || call_.ended_) return fail(Errc::stream_closed);
  if (call_.reply_headers_ != nullptr) call_.send_head();
  return call_.connection_.channel().write(call_.id_, message);
}

void ServedStream::consumed(std::size_t bytes) noexcept {
  if (!call_.lost_ && !call_.ended_) call_.connection_.channel().grant(call_.id_, bytes);
}

}  // namespace spanwire::rpc
