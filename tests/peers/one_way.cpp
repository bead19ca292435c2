// One-way messages with a program that has nothing of ours:
//   push|publish|pull|subscribe  listen|connect  ADDRESS  COUNT
// Says where it listens; then sends COUNT messages of the path work/tokens, the last one large, or
// prints COUNT that come, a JSON object a line.  TRACEPARENT is the context that it sends with.
#include "spanwire/rpc/one_way.hpp"

#include <cstdio>
#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "spanwire/otlp/environment.hpp"
#include "spanwire/trace/carrier.hpp"
#include "spanwire/trace/provider.hpp"

namespace {

using namespace spanwire;  // NOLINT: a program

constexpr std::string_view kPath = "work/tokens";
constexpr std::size_t kLargeBytes = 100'000;

trace::Context context_given() {
  const char* const given = std::getenv("TRACEPARENT");
  const std::map<std::string, std::string> headers = {{"traceparent", given ? given : ""}};
  return trace::extract(headers).context().with_timeout(std::chrono::seconds(60));
}

bool check(const Result<void>& done) {
  if (!done) std::fprintf(stderr, "%s\n", done.error().message().c_str());
  return done.has_value();
}

bool begin(rpc::OneWaySocket& socket) {
  if (!check(socket.start())) return false;
  const std::vector<std::string> addresses = socket.addresses();
  std::printf("%s\n", addresses.empty() ? "connecting" : addresses[0].c_str());
  std::fflush(stdout);
  return true;
}

Slice payload(int number, int count) {
  return Slice::of(number + 1 < count ? std::to_string(number) : std::string(kLargeBytes, 'x'));
}

bool push(rpc::Pusher& socket, int count) {
  if (!begin(socket)) return false;
  for (int i = 0; i < count; ++i) {
    if (!check(socket.push_blocking(context_given(), kPath, payload(i, count),
                                    {{"tenant", "blue"}}))) {
      return false;
    }
  }
  return true;
}

bool publish(rpc::Publisher& socket, int count) {
  if (!begin(socket)) return false;
  if (!check(socket.wait_for_subscribers_blocking(context_given(), std::string(kPath), 1))) {
    return false;
  }
  for (int i = 0; i < count; ++i) {
    if (!check(socket.publish(context_given(), kPath, payload(i, count), {{"tenant", "blue"}}))) {
      return false;
    }
  }
  return true;
}

bool receive(rpc::OneWayInput& socket, int count) {
  if (!begin(socket)) return false;
  for (int i = 0; i < count; ++i) {
    Result<rpc::Message> message = socket.receive_blocking();
    if (!message) return check(fail(message.error()));
    nlohmann::json line = {{"path", message->path()},
                           {"payload", message->payload().text()},
                           {"missed", message->missed()},
                           {"headers", nlohmann::json::object()}};
    for (const auto& [name, value] : message->headers()) line["headers"][name] = value;
    std::printf("%s\n", line.dump().c_str());
    std::fflush(stdout);
  }
  return true;
}

bool run(const std::string& kind, const rpc::OneWayOptions& options, int count) {
  rpc::Runtime runtime;
  if (kind == "push") {
    rpc::Pusher socket(runtime, options);
    return push(socket, count);
  }
  if (kind == "publish") {
    rpc::Publisher socket(runtime, options);
    return publish(socket, count);
  }
  if (kind == "pull") {
    rpc::Puller socket(runtime, options);
    return receive(socket, count);
  }
  rpc::Subscriber socket(runtime, options, {std::string(kPath)});
  return receive(socket, count);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  trace::Provider* provider = otlp::init_from_env();
  rpc::OneWayOptions options;
  if (std::string_view(argv[2]) == "listen") {
    options.listen(argv[3]);
  } else {
    options.connect(argv[3]);
  }
  const bool done = run(argv[1], options, std::atoi(argv[4]));
  if (provider != nullptr && !provider->shutdown(std::chrono::seconds(30)).complete()) return 1;
  return done ? 0 : 1;
}
