// One of two servers stops answering without closing its connections: the pool gives it up.
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "tests/rpc/rpc_fixture.hpp"

namespace spanwire::rpc {
namespace {

int serve_who(int ready) {
  Runtime runtime;
  Server server(runtime);
  server.handle("who", [](Call& call) -> Task<Status> {
    call.reply(Slice::copy_of("frozen"));
    co_return Status::ok();
  });
  const Result<std::string> bound = server.listen("tcp://127.0.0.1:0");
  if (!bound || !server.start()) return 1;
  if (write(ready, bound->c_str(), bound->size() + 1) < 0) return 1;
  pause();
  return 0;
}

// A server in a process of its own.
class ServerProcess {
 public:
  ServerProcess() {
    int ends[2];
    EXPECT_EQ(pipe(ends), 0);
    pid_ = fork();
    if (pid_ == 0) _exit(serve_who(ends[1]));
    close(ends[1]);
    char next = 0;
    while (read(ends[0], &next, 1) == 1 && next != '\0') address_ += next;
    close(ends[0]);
  }
  ~ServerProcess() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  const std::string& address() const { return address_; }
  void freeze() {
    kill(pid_, SIGSTOP);
    int status = 0;
    EXPECT_EQ(waitpid(pid_, &status, WUNTRACED), pid_);
    EXPECT_TRUE(WIFSTOPPED(status));
  }

 private:
  pid_t pid_ = -1;
  std::string address_;
};

constexpr int kCalls = 20;

Task<void> ask_all(Client* client, std::vector<Result<Reply>>* replies) {
  std::vector<Task<Result<Reply>>> calls;
  for (int i = 0; i < kCalls; ++i)
    calls.push_back(client->call(trace::Context(), "who", Slice()).as_task());
  *replies = co_await when_all(std::move(calls));
}

TEST(FrozenServer, LosesWhatIsInFlightThereAndNothingMore) {
  ServerProcess process;
  Runtime runtime;
  Server other(runtime);
  other.handle("who", [](Call& call) -> Task<Status> {
    call.reply(Slice::copy_of("other"));
    co_return Status::ok();
  });
  const Result<std::string> bound = other.listen("tcp://127.0.0.1:0");
  ASSERT_TRUE(bound && other.start());
  ClientOptions options;
  // The servers allow a ping every 5 s, so that this is what it takes.
  options.limits.ping_after_busy_silence = std::chrono::milliseconds(50);
  options.limits.ping_answer_timeout = std::chrono::milliseconds(1000);
  Client client(runtime, process.address() + "," + *bound, options);
  const auto who = [&] { return client.call_blocking(trace::Context(), "who", Slice()); };
  // Until both are connected one of them answers alone.
  while (who()->payload() == who()->payload()) std::this_thread::yield();
  process.freeze();
  std::vector<Result<Reply>> replies;
  ASSERT_TRUE(runtime.block_on(ask_all(&client, &replies)));
  int lost = 0;
  for (const Result<Reply>& reply : replies) {
    if (reply) continue;
    ++lost;
    EXPECT_EQ(reply.error().code(), Errc::connection_lost) << reply.error().message();
    EXPECT_EQ(call_failure(reply.error())->cause, Errc::ping_timeout) << reply.error().message();
  }
  EXPECT_EQ(lost, kCalls / 2);
  // It still accepts connections, as the system does for it; none of them takes a call.
  for (int i = 0; i < 100; ++i) {
    const Result<Reply> reply = who();
    ASSERT_TRUE(reply) << reply.error().message();
    EXPECT_EQ(reply->payload().text(), "other");
  }
}

}  // namespace
}  // namespace spanwire::rpc
