#include "spanwire/channel/accept.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "lib/channel/alive.hpp"
#include "spanwire/base/assert.hpp"
#include "spanwire/base/counters.hpp"
#include "spanwire/base/log.hpp"
#include "spanwire/wire/frame.hpp"

namespace spanwire::channel {
namespace {

constinit NamedCounter count_silent("spanwire.channel.silent_peers");

class Accepted final : public ServerChannel, private transport::LinkEvents, private Timer {
 public:
  Accepted(std::unique_ptr<transport::Link> link, Executor& executor, const AcceptOptions& options)
      : Timer(&Accepted::timer_fired),
        link_(std::move(link)),
        executor_(executor),
        options_(options),
        info_{"", link_->info().scheme, link_->info().peer, link_->info().local} {}

  ~Accepted() override { executor_.timers().remove(*this); }

  void start(ServerChannelEvents& events) override {
    events_ = &events;
    executor_.timers().add(*this, executor_.now() + options_.silence_timeout);
    link_->start(*this);
  }

  void attach(CallId id, ServedCallSink& sink) override { channel_->attach(id, sink); }
  void head(CallId id, ByteView headers) override { channel_->head(id, headers); }
  Result<WriteResult> write(CallId id, Slice& data) override { return channel_->write(id, data); }
  void grant(CallId id, std::size_t bytes) override { channel_->grant(id, bytes); }
  void reply(CallId id, ReplyOut& reply) override { channel_->reply(id, reply); }
  std::size_t in_flight() const noexcept override {
    return channel_ != nullptr ? channel_->in_flight() : 0;
  }
  const ChannelInfo& info() const noexcept override {
    return channel_ != nullptr ? channel_->info() : info_;
  }

  void drain() override {
    if (channel_ != nullptr) return channel_->drain();
    close(Errc::shutting_down);
  }

  void close(const Error& cause) override {
    if (channel_ != nullptr) return channel_->close(cause);
    closing_ = true;
    executor_.timers().remove(*this);
    link_->close(cause);
  }

 private:
  MutableByteView read_target() noexcept override {
    return inner_ != nullptr ? inner_->read_target() : MutableByteView();
  }
  void on_target_filled(std::size_t bytes) override { inner_->on_target_filled(bytes); }

  void on_bytes(ByteView bytes, Block& block) override {
    if (inner_ != nullptr) [[likely]]
      return inner_->on_bytes(bytes, block);
    if (closing_) return;
    const std::size_t looked_at = std::min(bytes.size(), wire::kPrefaceBytes - seen_);
    const bool as_v2 = std::memcmp(bytes.data(), wire::kPreface.data() + seen_, looked_at) == 0;
    if (as_v2 && seen_ + looked_at < wire::kPrefaceBytes) {
      if (seen_ == 0) expect_rest_of_preface();
      seen_ += looked_at;
      return;
    }
    const AliveWatch watch(alive_);
    as_v2 ? become_v2() : become_v1();
    if (seen_ != 0) hand_over_seen();
    if (!watch.gone()) inner_->on_bytes(bytes, block);
  }

  void expect_rest_of_preface() {
    executor_.timers().remove(*this);
    executor_.timers().add(*this, executor_.now() + options_.preface_timeout);
  }

  void become_v1() {
    executor_.timers().remove(*this);
    V1Handover made = make_v1_server_on_started_link(std::move(link_), executor_, options_.v1);
    channel_ = std::move(made.channel);
    inner_ = made.events;
    channel_->start(*events_);
  }

  void become_v2() {
    executor_.timers().remove(*this);
    V2Handover made = make_v2_server_on_started_link(std::move(link_), executor_, options_.v2);
    channel_ = std::move(made.channel);
    inner_ = made.events;
    channel_->start(*events_);
  }

  // What came before the bytes that decided: the beginning of the preface, whoever meant it.
  void hand_over_seen() {
    Block* block = Block::make(wire::kPrefaceBytes);
    std::memcpy(block->data(), wire::kPreface.data(), seen_);
    inner_->on_bytes({block->data(), seen_}, *block);
    block->release();
  }

  void on_message(std::span<Slice> parts) override {
    if (inner_ != nullptr) inner_->on_message(parts);
  }
  void on_writable() override {
    if (inner_ != nullptr) inner_->on_writable();
  }
  void on_closed(const Error& cause) override {
    if (inner_ != nullptr) return inner_->on_closed(cause);
    executor_.timers().remove(*this);
    events_->on_closed(*this, cause);
  }

  static void timer_fired(Timer* timer) noexcept {
    auto* self = static_cast<Accepted*>(timer);
    count_silent.add();
    log_info("closed a connection that said nothing", {{"peer", self->info_.peer}});
    self->close(Error(self->seen_ == 0 ? Errc::idle_timeout : Errc::handshake_timeout,
                      self->info_.peer + " said nothing"));
  }

  std::unique_ptr<transport::Link> link_;  // until the protocol is known
  Executor& executor_;
  const AcceptOptions options_;
  const ChannelInfo info_;
  ServerChannelEvents* events_ = nullptr;
  std::unique_ptr<ServerChannel> channel_;
  transport::LinkEvents* inner_ = nullptr;
  std::size_t seen_ = 0;  // bytes of the preface
  bool closing_ = false;
  Alive alive_;
};

}  // namespace

std::unique_ptr<ServerChannel> accept_channel(std::unique_ptr<transport::Link> link,
                                              Executor& executor, const AcceptOptions& options) {
  if (link->info().mode == transport::LinkMode::multipart) {
    return make_v2_server(std::move(link), executor, options.v2);
  }
  return std::make_unique<Accepted>(std::move(link), executor, options);
}

}  // namespace spanwire::channel
