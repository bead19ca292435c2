#include "lib/transport/memory_link.hpp"

#include <utility>

#include "lib/transport/multipart_link.hpp"
#include "lib/transport/stream_link.hpp"

namespace spanwire::transport {
namespace {

LinkInfo info_named(std::string local, std::string peer) {
  LinkInfo info;
  info.scheme = "memory";
  info.local = std::move(local);
  info.peer = std::move(peer);
  return info;
}

}  // namespace

std::unique_ptr<Link> make_memory_link(Executor& executor, std::shared_ptr<MemoryPipe> pipe,
                                       std::size_t end, LinkInfo info, const MemoryOptions& options,
                                       LinkLease lease) {
  const Ref<ByteStream> stream(new MemoryStream(std::move(pipe), end, executor));
  std::unique_ptr<Link> link =
      make_stream_link(executor, stream, std::move(info), options.write_timeout, std::move(lease));
  return options.mode == LinkMode::bytes ? std::move(link) : make_multipart_link(std::move(link));
}

MemoryLinks make_memory_links(Executor& first, Executor& second, const MemoryOptions& options) {
  const auto pipe = std::make_shared<MemoryPipe>(options);
  MemoryLinks links;
  links.first = make_memory_link(first, pipe, 0, info_named("first", "second"), options);
  links.second = make_memory_link(second, pipe, 1, info_named("second", "first"), options);
  return links;
}

}  // namespace spanwire::transport
