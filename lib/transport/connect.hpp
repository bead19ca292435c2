// Connecting a socket to one of several addresses.
#pragma once

#include "lib/transport/resolve.hpp"
#include "lib/transport/socket_stream.hpp"
#include "spanwire/base/task.hpp"

namespace spanwire::transport {

// Tries one after the other, each for its share of the time that is left; counts them in
// `attempts`, which outlives the task.  Fails with what the last one failed with, connect_failed or
// connect_timeout, and the reasons of all; with cancelled at once.
Task<Result<Ref<SocketStream>>> connect_any(Loop& loop, SocketAddresses addresses, bool quick_ack,
                                            MonotonicTime deadline, int* attempts);

}  // namespace spanwire::transport
