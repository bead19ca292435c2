// StreamCall: what a Stream is a handle of.
#pragma once

#include <atomic>
#include <optional>

#include "lib/rpc/message_port.hpp"
#include "spanwire/base/pool.hpp"
#include "spanwire/rpc/outgoing_call.hpp"
#include "spanwire/rpc/stream.hpp"

namespace spanwire::rpc {

// Counted: one reference is the Stream's; from its start to its end the call holds one of its own.
class StreamCall final : public OutgoingCall, public MessagePort, public Pooled {
 public:
  // Returns once the request is handed to a connection, or with the error that kept it from that.
  static Task<Result<Stream>> open(std::shared_ptr<ClientCore> core, trace::Context context,
                                   Path path, Slice payload, CallOptions options);

  // Any thread.
  void give_up() noexcept;
  const Reply& reply() const noexcept { return reply_; }
  transport::Loop& stream_loop() noexcept { return loop(); }
  void retain() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
  void release() noexcept {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }

 private:
  struct Opened;

  StreamCall(ClientCore& core, trace::Context context, Path path, Slice payload,
             const CallOptions& options)
      : OutgoingCall(core, CallKind::stream, std::move(context), std::move(path),
                     std::move(payload), options) {}
  ~StreamCall() override = default;

  // OutgoingCall
  void opened() noexcept override;
  void received(channel::InBody data, bool end) noexcept override { push(std::move(data), end); }
  void writable() noexcept override { room(); }
  void finished() noexcept override;
  // MessagePort
  Result<channel::WriteResult> send_message(Slice& message, bool end) override;
  void consumed(std::size_t bytes) noexcept override;
  void port_retain() noexcept override { retain(); }
  void port_release() noexcept override { release(); }

  std::atomic<std::uint32_t> references_{1};
  Opened* waiting_for_open_ = nullptr;
  bool is_opened_ = false;
  Reply reply_;
  std::shared_ptr<ClientCore> keep_core_;
};

}  // namespace spanwire::rpc
