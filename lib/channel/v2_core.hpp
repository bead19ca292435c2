// What v2 channels of both sides share: the session, its link, its timer.
#pragma once

#include <memory>
#include <utility>

#include "spanwire/base/executor.hpp"
#include "spanwire/channel/channel.hpp"
#include "spanwire/channel/v2.hpp"
#include "spanwire/session/session.hpp"
#include "spanwire/transport/link.hpp"

namespace spanwire::channel {

class V2Core : public transport::LinkEvents, protected session::SessionEvents {
 public:
  V2Core(const V2Core&) = delete;
  V2Core& operator=(const V2Core&) = delete;

  MutableByteView read_target() noexcept override { return session_.read_target(); }
  void on_target_filled(std::size_t bytes) override;
  void on_bytes(ByteView bytes, Block& block) override;
  void on_message(std::span<Slice> parts) override;
  void on_writable() override;
  void on_closed(const Error& cause) override;

 protected:
  enum class LinkState : bool { fresh, started };

  V2Core(std::unique_ptr<transport::Link> link, Executor& executor, const V2Options& options,
         session::Role role);
  ~V2Core();

  // Last event of the channel; it may be destroyed in there.
  virtual void closed(const Error& cause) = 0;

  void start_session(LinkState link_state);
  session::Now now() noexcept;
  // After everything that may have moved the session's timer.
  void arm() {
    if (session_.timer_moved()) [[unlikely]]
      arm_timer();
  }

  void on_pause(bool paused) override { link_->pause_reading(paused); }
  void on_end(const Error& cause) override;

  // What a side has no use for.
  void on_request(RequestIn&) override {}
  void on_refused() override {}
  void on_cancel(void*, Errc) override {}
  void on_head(void*, ByteView) override {}
  void on_reply(void*, ReplyIn&) override {}

  Executor& executor_;
  ChannelInfo info_;
  std::unique_ptr<transport::Link> link_;
  session::Session session_;

 private:
  struct WakeTimer : Timer {
    WakeTimer(Fire fire, V2Core& channel) noexcept : Timer(fire), core(channel) {}
    V2Core& core;
  };

  void arm_timer();
  static void timer_fired(Timer* timer) noexcept;
  Error explain(const Error& cause) const;
  void publish() noexcept;
  void log_oddities(const session::Counters& counters) noexcept;

  session::Role role_;
  WakeTimer timer_;
  session::Counters published_;
};

}  // namespace spanwire::channel
