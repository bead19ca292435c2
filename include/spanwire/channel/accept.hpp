// A server channel for a connection whose protocol is not known yet: one listener serves v1 and v2.
#pragma once

#include <chrono>
#include <memory>

#include "spanwire/base/executor.hpp"
#include "spanwire/channel/channel.hpp"
#include "spanwire/channel/v1.hpp"
#include "spanwire/channel/v2.hpp"
#include "spanwire/transport/link.hpp"
#include "spanwire/wire/limits.hpp"

namespace spanwire::channel {

struct AcceptOptions {
  V1Options v1;
  V2Options v2;
  // For the whole preface, from its first byte on: then the peer is closed with handshake_timeout.
  std::chrono::nanoseconds preface_timeout = wire::kHandshakeTimeout;
  // For the first byte.  A v2 client speaks at once; a v1 client opens connections ahead of its
  // first request, so that silence is one that idles: closed with idle_timeout and counted
  // ("spanwire.channel.silent_peers").
  std::chrono::nanoseconds silence_timeout = wire::kIdleTimeout;

  AcceptOptions() = default;
  // The same limits for both protocols; their handshake_timeout is the preface's.
  explicit AcceptOptions(const wire::Limits& limits)
      : preface_timeout(limits.handshake_timeout), silence_timeout(limits.idle_timeout) {
    v1.limits = limits;
    v2.limits = limits;
  }
};

// `link` has not been started; it belongs to `executor`, as the channel does.  The first bytes tell
// v2, which begins with its preface, from v1, which never can; any split of them will do.  A
// multipart link is v2.  Until that is known there are no requests, info().protocol is empty, and
// drain() closes at once.
// Events name the channel inside this one: calls to either are the same.
std::unique_ptr<ServerChannel> accept_channel(std::unique_ptr<transport::Link> link,
                                              Executor& executor,
                                              const AcceptOptions& options = {});

}  // namespace spanwire::channel
