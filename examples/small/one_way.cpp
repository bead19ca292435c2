// One-way messages over ZeroMQ: a scheduler pushes tokens to a detokenizer, in one trace, and tells
// everybody who listens how it is doing.
#include "spanwire/rpc/one_way.hpp"

#include <cstdio>
#include <string>
#include <thread>

namespace {

using spanwire::Result;
using spanwire::Slice;
using spanwire::rpc::Message;
using spanwire::rpc::OneWayOptions;
using spanwire::trace::Context;

constexpr int kTokens = 5;

// Engines are threads: receiving may block here.
void detokenize(spanwire::rpc::Puller& tokens) {
  for (int i = 0; i < kTokens; ++i) {
    const Result<Message> token = tokens.receive_blocking();
    if (!token) return;
    std::printf("%.*s", static_cast<int>(token->payload().size()), token->payload().text().data());
  }
  std::printf("\n");
}

int run() {
  spanwire::rpc::Runtime runtime;
  spanwire::rpc::Puller tokens(runtime, OneWayOptions().listen("zmq+tcp://127.0.0.1:0"));
  spanwire::rpc::Publisher load(runtime, OneWayOptions().listen("zmq+inproc://load"));
  if (!tokens.start() || !load.start()) return 1;
  spanwire::rpc::Pusher scheduler(runtime, OneWayOptions().connect(tokens.addresses()[0]));
  spanwire::rpc::Subscriber router(runtime, OneWayOptions().connect("zmq+inproc://load"),
                                   {"load/"});
  if (!scheduler.start() || !router.start()) return 1;

  // Whoever publishes too early publishes to nobody.
  const Context soon = Context().with_timeout(std::chrono::seconds(30));
  if (!load.wait_for_subscribers_blocking(soon, "load/worker-1", 1)) return 1;
  if (!load.publish(soon, "load/worker-1", Slice::of_static("5 waiting"))) return 1;
  const Result<Message> state = router.receive_blocking();
  if (!state || state->missed() != 0) return 1;
  std::printf("%s\n", std::string(state->payload().text()).c_str());

  std::thread detokenizer([&tokens] { detokenize(tokens); });
  for (int i = 0; i < kTokens; ++i) {
    // Waits while the detokenizer is behind, at most until the context's deadline.
    if (!scheduler.push_blocking(soon, "tokens", Slice::of("token-" + std::to_string(i) + ' '))) {
      std::abort();
    }
  }
  detokenizer.join();
  return 0;
}

}  // namespace

int main() { return run(); }
