// A server and a client in one program: one call, answered.
#include <cstdio>

#include "spanwire/rpc/client.hpp"
#include "spanwire/rpc/server.hpp"

using namespace spanwire;  // NOLINT: an example

Task<rpc::Status> echo(rpc::Call& call) {
  call.reply(call.payload());
  co_return rpc::Status::ok();
}

int main() {
  rpc::Runtime runtime;
  rpc::Server server(runtime);
  server.handle("example/echo", echo);
  const Result<std::string> address = server.listen("tcp://127.0.0.1:0");
  if (!address || !server.start()) return 1;

  rpc::Client client(runtime, *address);
  const Result<rpc::Reply> reply =
      client.call_blocking(trace::Context(), "example/echo", Slice::copy_of("hello"));
  if (!reply) {
    std::fprintf(stderr, "%s\n", reply.error().message().c_str());
    return 1;
  }
  std::printf("%.*s\n", static_cast<int>(reply->payload().size()), reply->payload().text().data());
  return reply->payload().text() == "hello" ? 0 : 1;
}
