// Engines are threads: a handler moves its Call into the engine's queue and returns; the engine's
// own thread writes the tokens and finishes the call.
#include <condition_variable>
#include <cstdio>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "spanwire/rpc/client.hpp"
#include "spanwire/rpc/server.hpp"

using namespace spanwire;  // NOLINT: an example

class Engine {
 public:
  Engine() : thread_([this] { run(); }) {}
  ~Engine() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_one();
    thread_.join();
  }
  void submit(rpc::Call call) {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(call));
    wake_.notify_one();
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    for (;;) {
      wake_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
      if (waiting_.empty()) return;
      rpc::Call call = std::move(waiting_.front());
      waiting_.pop_front();
      lock.unlock();
      generate(call);
      lock.lock();
    }
  }
  static void generate(rpc::Call& call) {
    for (const char* token : {"a", "b", "c"}) {
      Slice message = Slice::copy_of(token);
      if (call.try_write(message) == rpc::TryWrite::cancelled) break;
    }
    call.finish(rpc::Status::ok());
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<rpc::Call> waiting_;
  bool stopping_ = false;
  std::thread thread_;
};

int main() {
  rpc::Runtime runtime;
  Engine engine;
  rpc::Server server(runtime);
  server.handle("example/generate", [&engine](rpc::Call& call) -> Task<rpc::Status> {
    engine.submit(std::move(call));
    co_return rpc::Status::ok();  // does not count: the call is the engine's now
  });
  const Result<std::string> address = server.listen("tcp://127.0.0.1:0");
  if (!address || !server.start()) return 1;

  rpc::Client client(runtime, *address);
  Result<rpc::Stream> stream = client.open_blocking(trace::Context(), "example/generate", Slice());
  if (!stream) return 1;
  std::string text;
  for (;;) {
    const Result<std::optional<Slice>> token = stream->read_blocking();
    if (!token) return 1;
    if (!*token) break;
    text.append((*token)->text());
  }
  std::printf("%s\n", text.c_str());
  return text == "abc" ? 0 : 1;
}
