// Listening over ZeroMQ: one ROUTER socket, a link for each identity that speaks to it.
#pragma once

#include "spanwire/transport/listen.hpp"

namespace spanwire::transport {

// As listen(), for zmq addresses.  The links belong to `loop`, as the socket does.
Result<std::unique_ptr<Listener>> listen_on_zmq(Loop& loop, const Address& address,
                                                const ListenOptions& options, AcceptEvents& events);

}  // namespace spanwire::transport
