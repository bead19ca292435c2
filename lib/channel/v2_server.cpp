#include "lib/channel/v2_core.hpp"

namespace spanwire::channel {
namespace {

ServedCallSink& sink_of(void* user) noexcept { return *static_cast<ServedCallSink*>(user); }

class V2Server final : public ServerChannel, private V2Core {
 public:
  V2Server(std::unique_ptr<transport::Link> link, Executor& executor, const V2Options& options,
           bool link_started)
      : V2Core(std::move(link), executor, options, session::Role::server),
        link_state_(link_started ? LinkState::started : LinkState::fresh) {}

  transport::LinkEvents& link_events() noexcept { return *this; }

  void start(ServerChannelEvents& events) override {
    events_ = &events;
    start_session(link_state_);
  }

  void attach(CallId id, ServedCallSink& sink) override { session_.attach(id, &sink); }
  void head(CallId id, ByteView headers) override { session_.head(id, headers); }

  Result<WriteResult> write(CallId id, Slice& data) override {
    const Result<bool> taken = session_.write(id, data, false);
    arm();
    if (!taken) return fail(taken.error());
    return *taken ? WriteResult::ok : WriteResult::full;
  }

  void grant(CallId id, std::size_t bytes) override { session_.grant(id, bytes); }

  void reply(CallId id, ReplyOut& reply) override {
    session_.reply(id, reply);
    arm();
  }

  std::size_t in_flight() const noexcept override { return session_.in_flight(); }
  void drain() override {
    session_.drain(now());
    arm();
  }
  void close(const Error& cause) override { session_.close(cause); }
  const ChannelInfo& info() const noexcept override { return info_; }

 private:
  void closed(const Error& cause) override {
    if (events_ != nullptr) events_->on_closed(*this, cause);
  }

  void on_ready() override {}
  void on_draining() override {}
  void on_free() override {}

  void on_request(RequestIn& request) override { events_->on_request(*this, request); }
  void on_refused() override { events_->on_refused(*this); }
  void on_data(void* user, InBody& data, bool end) override {
    sink_of(user).on_data(std::move(data), end);
  }
  void on_writable(void* user) override { sink_of(user).on_writable(); }
  void on_writable() override { V2Core::on_writable(); }
  void on_cancel(void* user, Errc reason) override { sink_of(user).on_cancel(reason); }
  void on_lost(void* user, const Error& cause, Progress) override { sink_of(user).on_lost(cause); }

  LinkState link_state_;
  ServerChannelEvents* events_ = nullptr;
};

}  // namespace

std::unique_ptr<ServerChannel> make_v2_server(std::unique_ptr<transport::Link> link,
                                              Executor& executor, const V2Options& options) {
  return std::make_unique<V2Server>(std::move(link), executor, options, false);
}

V2Handover make_v2_server_on_started_link(std::unique_ptr<transport::Link> link, Executor& executor,
                                          const V2Options& options) {
  auto channel = std::make_unique<V2Server>(std::move(link), executor, options, true);
  transport::LinkEvents& events = channel->link_events();
  return {std::move(channel), &events};
}

}  // namespace spanwire::channel
