// Deadlines travel and cancellation reaches the handler: a call that takes too long ends on both
// sides.
#include <atomic>
#include <cstdio>

#include "spanwire/base/sleep.hpp"
#include "spanwire/rpc/client.hpp"
#include "spanwire/rpc/server.hpp"

using namespace spanwire;  // NOLINT: an example

std::atomic<bool> handler_was_cancelled{false};

Task<rpc::Status> slow(rpc::Call& call) {
  // Every await of a handler ends early when nobody waits for the answer any more.
  const Result<void> slept = co_await sleep_for(std::chrono::hours(1));
  if (!slept) {
    handler_was_cancelled = call.cancelled();
    co_return rpc::Status(rpc::StatusCode::cancelled);
  }
  co_return rpc::Status::ok();
}

int main() {
  rpc::Runtime runtime;
  {
    rpc::Server server(runtime);
    server.handle("example/slow", slow);
    const Result<std::string> address = server.listen("tcp://127.0.0.1:0");
    if (!address || !server.start()) return 1;

    rpc::Client client(runtime, *address);
    rpc::CallOptions options;
    options.timeout = std::chrono::milliseconds(50);
    const Result<rpc::Reply> reply =
        client.call_blocking(trace::Context(), "example/slow", Slice(), options);
    if (reply) return 1;
    std::printf("%s\n", reply.error().message().c_str());
    if (reply.error().code() != Errc::deadline_exceeded) return 1;
  }  // the server is gone only when its handlers are
  std::printf("the handler was told: %s\n", handler_was_cancelled ? "yes" : "no");
  return handler_was_cancelled ? 0 : 1;
}
