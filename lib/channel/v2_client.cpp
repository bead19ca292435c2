#include "lib/channel/v2_core.hpp"

namespace spanwire::channel {
namespace {

CallSink& sink_of(void* user) noexcept { return *static_cast<CallSink*>(user); }

class V2Client final : public ClientChannel, private V2Core {
 public:
  V2Client(std::unique_ptr<transport::Link> link, Executor& executor, const V2Options& options)
      : V2Core(std::move(link), executor, options, session::Role::client) {}

  void start(ClientChannelEvents& events) override {
    events_ = &events;
    start_session(LinkState::fresh);
  }

  State state() const noexcept override {
    switch (session_.state()) {
      case session::State::handshake:
        return State::handshake;
      case session::State::ready:
        return State::ready;
      case session::State::draining:
        return State::draining;
      case session::State::closed:
        break;
    }
    return State::closed;
  }

  Result<CallId> open(RequestOut& request, CallSink& sink) override {
    Result<CallId> id = session_.open(request, &sink);
    arm();
    return id;
  }

  Result<WriteResult> write(CallId id, Slice& data, bool end) override {
    const Result<bool> taken = session_.write(id, data, end);
    arm();
    if (!taken) return fail(taken.error());
    return *taken ? WriteResult::ok : WriteResult::full;
  }

  void grant(CallId id, std::size_t bytes) override { session_.grant(id, bytes); }

  bool cancel(CallId id, Errc reason) override {
    const bool gone = session_.cancel(id, reason);
    arm();
    return gone;
  }

  std::size_t in_flight() const noexcept override { return session_.in_flight(); }
  void drain() override {
    session_.drain(now());
    arm();
  }
  void close(const Error& cause) override { session_.close(cause); }
  void linger_until(MonotonicTime deadline) override { link_->linger_until(deadline); }
  std::size_t unwritten_bytes() const noexcept override { return link_->queued_bytes(); }
  const ChannelInfo& info() const noexcept override { return info_; }

 private:
  void closed(const Error& cause) override {
    if (events_ != nullptr) events_->on_closed(cause);
  }

  void on_ready() override { events_->on_ready(); }
  void on_draining() override { events_->on_draining(); }
  void on_free() override { events_->on_free(); }

  void on_head(void* user, ByteView headers) override { sink_of(user).on_head(headers); }
  void on_data(void* user, InBody& data, bool end) override {
    sink_of(user).on_data(std::move(data), end);
  }
  void on_writable(void* user) override { sink_of(user).on_writable(); }
  void on_writable() override { V2Core::on_writable(); }
  void on_reply(void* user, ReplyIn& reply) override { sink_of(user).on_reply(reply); }
  void on_lost(void* user, const Error& cause, Progress progress) override {
    sink_of(user).on_lost(cause, progress);
  }

  ClientChannelEvents* events_ = nullptr;
};

}  // namespace

std::unique_ptr<ClientChannel> make_v2_client(std::unique_ptr<transport::Link> link,
                                              Executor& executor, const V2Options& options) {
  return std::make_unique<V2Client>(std::move(link), executor, options);
}

}  // namespace spanwire::channel
