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
  // Until the peer has shown which protocol it speaks.  Who says nothing for so long is closed with
  // handshake_timeout and counted ("spanwire.channel.silent_peers").
  std::chrono::nanoseconds preface_timeout = wire::kHandshakeTimeout;

  AcceptOptions() = default;
  // The same limits for both protocols; their handshake_timeout is the preface's.
  explicit AcceptOptions(const wire::Limits& limits) : preface_timeout(limits.handshake_timeout) {
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
