// v2 channels: a session over a link.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>

#include "spanwire/base/executor.hpp"
#include "spanwire/channel/channel.hpp"
#include "spanwire/transport/link.hpp"
#include "spanwire/wire/limits.hpp"

namespace spanwire::channel {

struct V2Options {
  wire::Limits limits;
  // What tells one start of this endpoint from another; 0: a number by chance.
  std::uint64_t incarnation = 0;
  // The peer never pings more often than this.
  std::chrono::nanoseconds ping_interval_min = std::chrono::seconds(5);
  // Client on a multipart link: the peer is a script without hello.
  bool naive_peer = false;
};

// The link is not started; it belongs to `executor`, as the channel does.  A client whose hello is
// not answered in limits.handshake_timeout closes with handshake_timeout.
std::unique_ptr<ClientChannel> make_v2_client(std::unique_ptr<transport::Link> link,
                                              Executor& executor, const V2Options& options = {});
std::unique_ptr<ServerChannel> make_v2_server(std::unique_ptr<transport::Link> link,
                                              Executor& executor, const V2Options& options = {});

// For a link that somebody else has started, to see by its first bytes which protocol it speaks.
// After start() of the channel, whoever that is passes on to `events` (part of the channel) all
// that the link says, first of all the bytes read so far, preface included.
struct V2Handover {
  std::unique_ptr<ServerChannel> channel;
  transport::LinkEvents* events = nullptr;
};
V2Handover make_v2_server_on_started_link(std::unique_ptr<transport::Link> link, Executor& executor,
                                          const V2Options& options = {});

}  // namespace spanwire::channel
