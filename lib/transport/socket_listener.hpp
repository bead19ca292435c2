// Listeners on TCP and unix sockets.
#pragma once

#include "lib/transport/socket_options.hpp"
#include "spanwire/transport/listen.hpp"

namespace spanwire::transport {

Result<std::unique_ptr<Listener>> listen_on_socket(Loop& loop, const Address& address,
                                                   const ListenOptions& options,
                                                   AcceptEvents& events);

// A socket that listens at `address` and, for port 0, the address it got.
Result<Fd> bind_and_listen(const Address& address, int backlog);

// Whether a socket may be made at the path of `address`: nothing is there, or a socket that nobody
// listens on.  Fails with already_exists.
Result<void> check_free_path(const Address& address);

}  // namespace spanwire::transport
