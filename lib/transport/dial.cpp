#include "spanwire/transport/dial.hpp"

#include <string>
#include <utility>
#include <vector>

#include "lib/transport/connect.hpp"
#include "lib/transport/memory_link.hpp"
#include "lib/transport/resolve.hpp"
#include "lib/transport/socket_stream.hpp"
#include "lib/transport/stream_link.hpp"
#include "lib/transport/zmq/dealer.hpp"
#include "lib/transport/zmq/options.hpp"

namespace spanwire::transport {
namespace {

Task<Result<SocketAddresses>> addresses_of(Address address, Resolver* resolver,
                                           MonotonicTime deadline) {
  if (address.scheme == Scheme::unix_socket) {
    co_return SocketAddresses{unix_address(address.host)};
  }
  if (address.port == 0 || address.host == "*") {
    co_return fail(Errc::bad_address, to_string(address) + " can be listened on, not dialled");
  }
  SocketAddresses numeric = numeric_address(address.host, address.port);
  if (!numeric.empty()) co_return numeric;
  if (resolver == nullptr) {
    co_return fail(Errc::resolve_failed, address.host + ": no resolver for names was given");
  }
  co_return co_await resolve(*resolver, address.host, address.port, deadline);
}

LinkInfo info_of(const Address& address, int fd, bool quick_ack) {
  LinkInfo info;
  const bool local = address.scheme == Scheme::unix_socket;
  info.scheme = local ? "unix" : "tcp";
  info.local = endpoint_text(local_address(fd));
  info.peer = local ? address.host : endpoint_text(peer_address(fd));
  info.quick_ack = quick_ack;
  return info;
}

Task<Result<Dialled>> dial_socket(Loop& loop, Address address, DialOptions options) {
  const MonotonicTime start = loop.clock().monotonic();
  const MonotonicTime deadline = start + options.connect_timeout;
  const bool quick_ack = options.quick_ack || address.protocol == "dynamo";
  SPANWIRE_CO_TRY(SocketAddresses addresses,
                  co_await addresses_of(address, options.resolver, deadline));
  Dialled dialled;
  const MonotonicTime resolved = loop.clock().monotonic();
  dialled.resolve = resolved - start;
  SPANWIRE_CO_TRY(
      Ref<SocketStream> stream,
      co_await connect_any(loop, std::move(addresses), quick_ack, deadline, &dialled.attempts));
  dialled.connect = loop.clock().monotonic() - resolved;
  LinkInfo info = info_of(address, stream->fd(), quick_ack);
  dialled.link =
      make_stream_link(loop, Ref<ByteStream>(stream.get()), std::move(info), options.write_timeout);
  co_return dialled;
}

std::vector<std::string> zmq_endpoints(const SocketAddresses& addresses) {
  std::vector<std::string> endpoints;
  for (const SocketAddress& one : addresses) endpoints.push_back("tcp://" + endpoint_text(one));
  return endpoints;
}

Task<Result<Dialled>> dial_over_zmq(Loop& loop, Address address, DialOptions options) {
  const MonotonicTime start = loop.clock().monotonic();
  const MonotonicTime deadline = start + options.connect_timeout;
  std::vector<std::string> endpoints;
  if (address.scheme == Scheme::zmq_tcp) {
    SPANWIRE_CO_TRY(SocketAddresses addresses,
                    co_await addresses_of(address, options.resolver, deadline));
    endpoints = zmq_endpoints(addresses);
  } else {
    endpoints.push_back((address.scheme == Scheme::zmq_ipc ? "ipc://" : "inproc://") +
                        address.host);
  }
  const std::chrono::nanoseconds resolved = loop.clock().monotonic() - start;
  SPANWIRE_CO_TRY(Dialled dialled, co_await dial_zmq(loop, std::move(address), std::move(endpoints),
                                                     std::move(options), deadline));
  dialled.resolve = resolved;
  co_return dialled;
}

}  // namespace

Task<Result<Dialled>> dial(Loop& loop, Address address, DialOptions options) {
  SPANWIRE_CO_TRY_VOID(check_encrypts(address, options.zmq.curve));
  if (address.scheme == Scheme::memory) co_return dial_memory(loop, address, options);
  if (address.zmq()) co_return co_await dial_over_zmq(loop, std::move(address), std::move(options));
  co_return co_await dial_socket(loop, std::move(address), std::move(options));
}

}  // namespace spanwire::transport
