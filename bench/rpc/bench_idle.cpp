// rpc/idle_connection: what a connection that does nothing costs a process in memory, with 1,000 of
// them.
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "bench/measure.hpp"
#include "spanwire/rpc/client.hpp"
#include "spanwire/rpc/server.hpp"

namespace {

using namespace spanwire;  // NOLINT: a program

constexpr int kConnections = 1'000;

long resident_bytes() {
  std::ifstream status("/proc/self/statm");
  long pages = 0;
  status >> pages >> pages;
  return pages * sysconf(_SC_PAGESIZE);
}

Task<rpc::Status> echo(rpc::Call& call) {
  call.reply(call.payload());
  co_return rpc::Status::ok();
}

}  // namespace

int main(int argc, char** argv) {
  const bench::Bench bench(argc, argv);
  if (!bench.wants("rpc/idle_connection")) return 0;
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  rpc::Runtime runtime;
  rpc::Server server(runtime);
  server.handle("bench/echo", echo);
  const Result<std::string> address = server.listen("tcp://127.0.0.1:0");
  if (!address || !server.start()) return 1;
  rpc::ClientOptions options;
  options.connections_per_endpoint_max = 1;
  const auto connect = [&] {
    auto client = std::make_unique<rpc::Client>(runtime, *address, options);
    const Result<rpc::Reply> reply =
        client->call_blocking(trace::Context(), "bench/echo", Slice::copy_of("x"));
    if (!reply) std::exit(1);
    return client;
  };
  std::vector<std::unique_ptr<rpc::Client>> clients;
  clients.push_back(connect());
  const long before = resident_bytes();
  for (int i = 0; i < kConnections; ++i) clients.push_back(connect());
  // Both sides are in this process.
  const double bytes = static_cast<double>(resident_bytes() - before) / kConnections / 2;
  bench.print({"rpc/idle_connection", "bytes", bytes, 16.0 * 1024, std::nullopt});
  return 0;
}
