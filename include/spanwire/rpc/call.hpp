// Call: one call as its handler sees it.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "spanwire/base/result.hpp"
#include "spanwire/base/slice.hpp"
#include "spanwire/base/task.hpp"
#include "spanwire/rpc/reply.hpp"
#include "spanwire/rpc/status.hpp"
#include "spanwire/trace/context.hpp"
#include "spanwire/trace/span.hpp"

namespace spanwire::rpc {

class IncomingCall;

enum class TryWrite : std::uint8_t {
  ok,         // taken
  full,       // not taken: the peer has to read first
  cancelled,  // not taken: the call has been given up or is over
};

// The handle of one served call.
//
// In a handler: `Task<Status> generate(Call& call)`.  What the handler returns ends the call; what
// it throws ends it as unknown, the text goes to the span and the log only. Moved out of the
// handler (`Call mine = std::move(call)`), the call lives on after the handler's return, whose
// status then does not count, until finish().  A Call that is dropped unfinished ends as internal.
//
// A Call in its handler belongs to the handler's executor.  Of a moved-out Call, all but read() and
// write() may be used from any one thread at a time.
class Call {
 public:
  Call(Call&& other) noexcept;
  Call& operator=(Call&& other) noexcept;
  ~Call();

  // The server span's context with the caller's deadline, baggage and cancellation: first argument
  // of every call made on behalf of this one.  It may outlive the call.
  const trace::Context& context() const noexcept;
  // The server span, for attributes and events.
  trace::Span& span() noexcept;
  std::string_view path() const noexcept;
  const Slice& payload() const noexcept;
  // As received.  Both read the block each time.
  std::optional<std::string> header(std::string_view name) const;
  Headers headers() const;
  // "10.0.0.7:53122", or the transport's word for it.
  std::string_view peer() const noexcept;
  // The caller gave up or the deadline passed: nobody waits for the answer.
  bool cancelled() const noexcept;
  // The caller reads a stream or sends one; else read, write and try_write refuse (not_supported).
  bool is_stream() const noexcept;
  // False for a Call that was moved from: nothing else may be asked of it.
  bool holds_call() const noexcept { return call_ != nullptr; }

  // The payload that goes with the final status of a unary call.
  void reply(Slice payload) noexcept;
  // Goes with the final status, or with the first message when set before it.
  void set_header(std::string_view name, std::string_view value);

  // The next message, empty optional at the caller's end of stream; cancelled, deadline_exceeded or
  // connection_lost when there will be none.
  Task<Result<std::optional<Slice>>> read();
  // Waits until the message is taken.
  Task<Result<void>> write(Slice message);
  // Takes the message or says why not; never waits.  The caller's Slice is moved from only when
  // taken.
  TryWrite try_write(Slice& message);

  // Ends a moved-out call; any thread; later ones do nothing.
  void finish(Status status, Slice payload = {});

 private:
  friend class IncomingCall;
  // The handler's own: the call's memory holds it, so that it holds no reference.
  explicit Call(IncomingCall* call) noexcept : call_(call) {}
  void let_go() noexcept;

  IncomingCall* call_;
  bool owns_ = false;  // moved out of its handler: holds one reference
};

}  // namespace spanwire::rpc
