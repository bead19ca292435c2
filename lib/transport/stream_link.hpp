// StreamLink: a Link over a ByteStream.
#pragma once

#include <chrono>
#include <memory>

#include "lib/transport/byte_stream.hpp"
#include "lib/transport/incoming.hpp"
#include "spanwire/base/executor.hpp"
#include "spanwire/transport/link.hpp"

namespace spanwire::transport {

// Takes the stream over.  `lease` ends with the connection.
std::unique_ptr<Link> make_stream_link(Executor& executor, Ref<ByteStream> stream, LinkInfo info,
                                       std::chrono::nanoseconds write_timeout,
                                       LinkLease lease = {});

}  // namespace spanwire::transport
