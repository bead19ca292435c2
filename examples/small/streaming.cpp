// A stream: the server counts down, the client reads until the end.
#include <cstdio>
#include <cstdlib>
#include <string>

#include "spanwire/rpc/client.hpp"
#include "spanwire/rpc/server.hpp"

using namespace spanwire;  // NOLINT: an example

Task<rpc::Status> count_down(rpc::Call& call) {
  for (int n = std::atoi(std::string(call.payload().text()).c_str()); n > 0; --n) {
    const Result<void> written = co_await call.write(Slice::of(std::to_string(n)));
    if (!written) co_return rpc::Status(rpc::StatusCode::cancelled);  // nobody reads any more
  }
  co_return rpc::Status::ok();
}

Task<int> read_all(rpc::Client* client) {
  Result<rpc::Stream> stream =
      co_await client->open(trace::Context(), "example/count", Slice::copy_of("5"));
  if (!stream) co_return -1;
  int messages = 0;
  for (;;) {
    const Result<std::optional<Slice>> message = co_await stream->read();
    if (!message) {
      std::fprintf(stderr, "%s\n", message.error().message().c_str());
      co_return -1;
    }
    if (!*message) co_return messages;  // the end
    std::printf("%.*s\n", static_cast<int>((*message)->size()), (*message)->text().data());
    ++messages;
  }
}

int main() {
  rpc::Runtime runtime;
  rpc::Server server(runtime);
  server.handle("example/count", count_down);
  const Result<std::string> address = server.listen("tcp://127.0.0.1:0");
  if (!address || !server.start()) return 1;
  rpc::Client client(runtime, *address);
  const Result<int> messages = runtime.block_on(read_all(&client));
  return messages && *messages == 5 ? 0 : 1;
}
