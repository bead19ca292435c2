#include "spanwire/rpc/client.hpp"

#include "lib/rpc/client_core.hpp"
#include "lib/rpc/stream_call.hpp"
#include "spanwire/base/blocking.hpp"
#include "spanwire/base/fork.hpp"

namespace spanwire::rpc {
namespace {

// A call that lives on the heap until it has ended and told somebody.
class HeapCall final : public OutgoingCall, public Pooled {
 public:
  using Done = std::function<void(Result<Reply>)>;
  static void run(std::shared_ptr<ClientCore> core, CallKind kind, trace::Context context,
                  Path path, Slice payload, const CallOptions& options, Done done) {
    ClientCore& c = *core;
    auto* call = new HeapCall(c, kind, std::move(context), std::move(path), std::move(payload),
                              options, std::move(core), std::move(done));
    if (!call->prepare()) {
      call->finished();
      return;
    }
    call->start();
  }

 private:
  HeapCall(ClientCore& core, CallKind kind, trace::Context context, Path path, Slice payload,
           const CallOptions& options, std::shared_ptr<ClientCore> keep, Done done)
      : OutgoingCall(core, kind, std::move(context), std::move(path), std::move(payload), options),
        keep_(std::move(keep)),
        done_(std::move(done)) {}

  void finished() noexcept override {
    Result<Reply> reply = std::move(result());
    Done done = std::move(done_);
    const std::shared_ptr<ClientCore> keep = std::move(keep_);
    delete this;
    done(std::move(reply));
  }

  std::shared_ptr<ClientCore> keep_;
  Done done_;
};

}  // namespace

ClientCore::ClientCore(Runtime& runtime, std::string_view addresses, ClientOptions options)
    : runtime_(runtime), options_(std::move(options)) {
  while (!bad_address_) {
    const std::size_t comma = addresses.find(',');
    Result<transport::Address> address = transport::parse_address(addresses.substr(0, comma));
    if (address) {
      addresses_.push_back(std::move(*address));
    } else {
      bad_address_ = address.error();
    }
    if (comma == std::string_view::npos) break;
    addresses.remove_prefix(comma + 1);
  }
  // With fewer connections allowed than there are loops, loops share.
  const std::size_t pools =
      std::min<std::size_t>(runtime.loops(), std::max(1u, options_.connections_per_endpoint_max));
  for (std::size_t i = 0; i < pools; ++i)
    loops_.push_back(std::make_unique<LoopClient>(*this, runtime.loop(i)));
}

LoopClient& ClientCore::home() noexcept {
  const Executor* current = Executor::current();
  for (const auto& pool : loops_) {
    if (&pool->loop() == current) return *pool;
  }
  if (current != nullptr) {
    // A loop without a pool of its own shares one.
    for (std::size_t i = loops_.size(); i < runtime_.loops(); ++i) {
      if (&runtime_.loop(i) == current) return *loops_[i % loops_.size()];
    }
  }
  return *loops_[next_home_.fetch_add(1, std::memory_order_relaxed) % loops_.size()];
}

unsigned ClientCore::connections_per_loop() const noexcept {
  return std::max(1u, options_.connections_per_endpoint_max / static_cast<unsigned>(loops_.size()));
}

void ClientCore::close(const std::shared_ptr<ClientCore>& self) {
  if (closed_.exchange(true, std::memory_order_acq_rel)) return;
  const bool may_wait = Executor::current() == nullptr;
  for (const auto& pool : loops_) {
    Task<void> task = close_pool(self, *pool);
    if (may_wait) {
      static_cast<void>(block_on(pool->loop(), std::move(task)));
    } else {
      spawn(pool->loop(), std::move(task));
    }
  }
}

Task<void> ClientCore::close_pool(std::shared_ptr<ClientCore> keep, LoopClient& pool) {
  pool.close(Error(Errc::shutting_down, "the client is being closed"), keep);
  co_await pool.until_ended();
}

Client::Client(Runtime& runtime, std::string_view addresses, ClientOptions options)
    : core_(std::make_shared<ClientCore>(runtime, addresses, std::move(options))) {}

Client::~Client() {
  if (core_->runtime().inherited_over_fork()) {
    keep_for_ever(std::move(core_));
    return;
  }
  core_->close(core_);
}

UnaryCall Client::call(trace::Context context, Path path, Slice payload,
                       const CallOptions& options) {
  return UnaryCall(*core_, CallKind::unary, std::move(context), std::move(path), std::move(payload),
                   options);
}

Task<Result<Stream>> Client::open(trace::Context context, Path path, Slice payload,
                                  CallOptions options) {
  return StreamCall::open(core_, std::move(context), std::move(path), std::move(payload),
                          std::move(options));
}

Task<Result<void>> Client::notify(trace::Context context, Path path, Slice payload,
                                  CallOptions options) {
  UnaryCall call(*core_, CallKind::one_way, std::move(context), std::move(path), std::move(payload),
                 options);
  return [](UnaryCall message) -> Task<Result<void>> {
    Result<Reply> sent = co_await std::move(message);
    if (!sent) co_return fail(std::move(sent).error());
    co_return Result<void>();
  }(std::move(call));
}

Result<Reply> Client::call_blocking(trace::Context context, Path path, Slice payload,
                                    const CallOptions& options) {
  if (Executor::current() != nullptr)
    return fail(Errc::would_deadlock, "call_blocking on a loop's thread");
  Result<Reply> reply;
  spanwire::detail::Latch latch;
  HeapCall::run(core_, CallKind::unary, std::move(context), std::move(path), std::move(payload),
                options, [&](Result<Reply> result) {
                  reply = std::move(result);
                  latch.raise();
                });
  latch.wait();
  return reply;
}

Result<Stream> Client::open_blocking(trace::Context context, Path path, Slice payload,
                                     const CallOptions& options) {
  if (Executor::current() != nullptr)
    return fail(Errc::would_deadlock, "open_blocking on a loop's thread");
  if (core_->runtime().inherited_over_fork()) return fail(Errc::forked);
  return block_on(core_->home().loop(),
                  open(std::move(context), std::move(path), std::move(payload), options));
}

void Client::call_then(trace::Context context, Path path, Slice payload, const CallOptions& options,
                       std::function<void(Result<Reply>)> done) {
  HeapCall::run(core_, CallKind::unary, std::move(context), std::move(path), std::move(payload),
                options, std::move(done));
}

}  // namespace spanwire::rpc
