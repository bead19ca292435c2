// Memory links and their registry of names.
#pragma once

#include "lib/transport/incoming.hpp"
#include "lib/transport/memory_pipe.hpp"
#include "spanwire/transport/dial.hpp"
#include "spanwire/transport/listen.hpp"
#include "spanwire/transport/memory_link.hpp"

namespace spanwire::transport {

// The link at one end of `pipe`.
std::unique_ptr<Link> make_memory_link(Executor& executor, std::shared_ptr<MemoryPipe> pipe,
                                       std::size_t end, LinkInfo info, const MemoryOptions& options,
                                       LinkLease lease = {});

// Fails with connect_failed if nobody listens under the name.
Result<Dialled> dial_memory(Loop& loop, const Address& address, const DialOptions& options);

// Fails with already_exists.
Result<std::unique_ptr<Listener>> listen_in_memory(Loop& loop, const Address& address,
                                                   const ListenOptions& options,
                                                   AcceptEvents& events);

}  // namespace spanwire::transport
