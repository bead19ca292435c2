// Links Spanwire::spanwire: a server and a client in one process, over TCP.
#include <cstdio>
#include <utility>

#include "spanwire/rpc/client.hpp"
#include "spanwire/rpc/server.hpp"

using namespace spanwire;

Task<rpc::Status> echo(rpc::Call& call) {
  call.reply(call.payload());
  co_return rpc::Status::ok();
}

int main() {
  rpc::Runtime runtime;
  rpc::ServerOptions options;
  options.listen("tcp://127.0.0.1:0");
  rpc::Server server(runtime, std::move(options));
  server.handle("echo", echo);
  if (const Result<void> started = server.start(); !started) {
    std::printf("%s\n", started.error().message().c_str());
    return 1;
  }
  rpc::Client client(runtime, server.addresses().front());
  const Result<rpc::Reply> reply =
      client.call_blocking(trace::Context(), "echo", Slice::of_static("hello"));
  const bool works = reply && reply->payload().text() == "hello";
  std::printf("%s\n", works   ? "call works"
                      : reply ? "call is broken"
                              : reply.error().message().c_str());
  return works ? 0 : 1;
}
