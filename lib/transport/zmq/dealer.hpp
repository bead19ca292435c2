// Dialling over ZeroMQ: a DEALER socket of its own for each link.
#pragma once

#include <string>
#include <vector>

#include "spanwire/transport/dial.hpp"

namespace spanwire::transport {

// As dial(), for zmq addresses whose names have been looked up.  An endpoint is what libzmq
// connects to; each is tried for its share of the time until `deadline`.
Task<Result<Dialled>> dial_zmq(Loop& loop, Address address, std::vector<std::string> endpoints,
                               DialOptions options, MonotonicTime deadline);

}  // namespace spanwire::transport
