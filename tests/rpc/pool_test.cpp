// The pool: which connection takes a call, and what happens when there is none, or no longer.
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <set>
#include <thread>

#include "tests/rpc/gate.hpp"
#include "tests/rpc/rpc_fixture.hpp"

namespace spanwire::rpc {
namespace {

// A server that says who it is and can be held.
class Named {
 public:
  Named(Runtime& runtime, std::string name, const std::string& address) : server_(runtime) {
    server_.handle("who", [name](Call& call) -> Task<Status> {
      call.reply(Slice::copy_of(name));
      co_return Status::ok();
    });
    server_.handle("test/hang", hanging);
    const Result<std::string> bound = server_.listen(address);
    EXPECT_TRUE(bound) << bound.error().message();
    EXPECT_TRUE(server_.start());
    address_ = *bound;
  }
  const std::string& address() const { return address_; }
  Server& server() { return server_; }

 private:
  Server server_;
  std::string address_;
};

class PoolTest : public ::testing::Test {
 protected:
  static std::string socket_path(std::string_view name) {
    const std::filesystem::path folder = std::filesystem::temp_directory_path();
    return "unix://" +
           (folder / ("spanwire-" + std::to_string(getpid()) + "-" + std::string(name))).string();
  }
  static Result<Reply> who(Client& client, CallOptions options = {}) {
    return client.call_blocking(trace::Context(), "who", Slice(), options);
  }
  ~PoolTest() override { expect_no_timers(runtime_); }

  testing::LeakCheck leaks_;
  Runtime runtime_;
};

TEST_F(PoolTest, TakesAddressesInTurn) {
  const Named a(runtime_, "a", "tcp://127.0.0.1:0");
  const Named b(runtime_, "b", "tcp://127.0.0.1:0");
  Client client(runtime_, a.address() + "," + b.address());
  // Until both are connected one of them answers alone.
  while (who(client)->payload() == who(client)->payload()) std::this_thread::yield();
  std::string answers;
  for (int i = 0; i < 10; ++i) answers.append(who(client)->payload().text());
  EXPECT_EQ(std::count(answers.begin(), answers.end(), 'a'), 5);
  EXPECT_EQ(std::count(answers.begin(), answers.end(), 'b'), 5);
}

TEST_F(PoolTest, PrefersWhoHasLeastInFlight) {
  Named a(runtime_, "a", "tcp://127.0.0.1:0");
  Named b(runtime_, "b", "tcp://127.0.0.1:0");
  ClientOptions options;
  options.balancing = Balancing::least_in_flight;
  Client client(runtime_, a.address() + "," + b.address(), options);
  // Hold calls until both servers have some: from then on both are connected.
  std::vector<Stream> held;
  while (a.server().running() == 0 || b.server().running() == 0) {
    Result<Stream> stream = client.open_blocking(trace::Context(), "test/hang", Slice());
    ASSERT_TRUE(stream);
    held.push_back(std::move(*stream));
    std::this_thread::yield();
  }
  // From here the two fill up evenly: after as many more calls as there are, they differ by one at
  // most.
  const std::size_t more = 2 * held.size();
  for (std::size_t i = 0; i < more; ++i) {
    Result<Stream> stream = client.open_blocking(trace::Context(), "test/hang", Slice());
    ASSERT_TRUE(stream);
    held.push_back(std::move(*stream));
  }
  while (a.server().running() + b.server().running() < held.size()) std::this_thread::yield();
  const std::size_t in_a = a.server().running();
  const std::size_t in_b = b.server().running();
  EXPECT_LE(in_a > in_b ? in_a - in_b : in_b - in_a, 1u);
}

TEST_F(PoolTest, TakesTurnsAmongThoseWithEquallyManyInFlight) {
  const Named a(runtime_, "a", "tcp://127.0.0.1:0");
  const Named b(runtime_, "b", "tcp://127.0.0.1:0");
  ClientOptions options;
  options.balancing = Balancing::least_in_flight;
  Client client(runtime_, a.address() + "," + b.address(), options);
  // Until both are connected one of them answers alone.
  std::set<std::string> seen;
  for (int i = 0; i < 10'000 && seen.size() < 2; ++i) seen.emplace(who(client)->payload().text());
  std::string answers;
  for (int i = 0; i < 10; ++i) answers.append(who(client)->payload().text());
  EXPECT_EQ(std::count(answers.begin(), answers.end(), 'a'), 5);
  EXPECT_EQ(std::count(answers.begin(), answers.end(), 'b'), 5);
}

// Calls that are held, one a connection, on all connections that the pool may open.
class FullPool : public PoolTest {
 protected:
  static constexpr unsigned kConnections = 3;

  FullPool() : server_(runtime_, one_stream()) {
    server_.handle(
        "test/gate",
        [this](Call& call) {
          {
            const std::lock_guard lock(mutex_);
            peers_.insert(std::string(call.peer()));
          }
          gate_.pass();
          return Status::ok();
        },
        RunOn::pool(kConnections + 1));
    server_.handle("who", echo);
    const Result<std::string> bound = server_.listen("tcp://127.0.0.1:0");
    EXPECT_TRUE(bound && server_.start());
    ClientOptions options;
    options.connections_per_endpoint_max = kConnections;
    client_ = std::make_unique<Client>(runtime_, *bound, options);
  }
  static ServerOptions one_stream() {
    ServerOptions options;
    options.limits.streams_max = 1;
    return options;
  }
  // One more call than there are connections, all made in one turn of the loop.
  void hold_all() {
    std::thread caller([&] { EXPECT_TRUE(runtime_.block_on(call_all(client_.get()))); });
    gate_.await_waiting(kConnections);
    EXPECT_EQ(server_.running(), kConnections);
    gate_.open();
    caller.join();
    EXPECT_EQ(peers_.size(), kConnections);
  }
  static Task<void> call_all(Client* client) {
    std::vector<Task<Result<Reply>>> calls;
    for (unsigned i = 0; i < kConnections + 1; ++i) {
      calls.push_back(client->call(trace::Context(), "test/gate", Slice()).as_task());
    }
    const std::vector<Result<Reply>> replies = co_await when_all(std::move(calls));
    for (const Result<Reply>& reply : replies) EXPECT_TRUE(reply) << reply.error().message();
  }

  Gate gate_;
  std::mutex mutex_;
  std::set<std::string> peers_;
  Server server_;
  std::unique_ptr<Client> client_;
};

TEST_F(FullPool, GrowsForCallsThatWaitedForTheFirstConnection) { hold_all(); }

TEST_F(FullPool, GrowsForCallsThatWaitForRoom) {
  ASSERT_TRUE(who(*client_));
  hold_all();
}

TEST_F(PoolTest, WaitsForAServerThatComesLater) {
  const std::string address = socket_path("later");
  Client client(runtime_, address);
  CallOptions options;
  options.wait_for_ready = true;
  options.timeout = kGuard;
  Result<Reply> reply;
  std::thread caller([&] { reply = who(client, options); });
  // Without waiting the same call fails, and says why.
  const Result<Reply> hasty = who(client);
  ASSERT_FALSE(hasty);
  EXPECT_EQ(hasty.error().code(), Errc::not_connected);
  const Named late(runtime_, "late", address);
  caller.join();
  ASSERT_TRUE(reply) << reply.error().message();
  EXPECT_EQ(reply->payload().text(), "late");
}

TEST_F(PoolTest, ConnectsAgainToAServerThatCameBack) {
  const std::string address = socket_path("again");
  auto first = std::make_unique<Named>(runtime_, "first", address);
  Client client(runtime_, address);
  EXPECT_EQ(who(client)->payload().text(), "first");
  first.reset();
  const Named second(runtime_, "second", address);
  CallOptions options;
  options.wait_for_ready = true;
  options.timeout = kGuard;
  const Result<Reply> reply = who(client, options);
  ASSERT_TRUE(reply) << reply.error().message();
  EXPECT_EQ(reply->payload().text(), "second");
}

TEST_F(PoolTest, CallsThatADrainingServerRefusesGoElsewhere) {
  auto a = std::make_unique<Named>(runtime_, "a", "tcp://127.0.0.1:0");
  const Named b(runtime_, "b", "tcp://127.0.0.1:0");
  Client client(runtime_, a->address() + "," + b.address());
  std::atomic<bool> stop{false};
  std::atomic<int> failures{0};
  std::vector<std::thread> callers;
  std::atomic<int> done{0};
  for (int i = 0; i < 3; ++i) {
    callers.emplace_back([&] {
      while (!stop) {
        if (!who(client)) failures.fetch_add(1);
        done.fetch_add(1);
      }
    });
  }
  while (done < 30) std::this_thread::yield();
  const DrainReport report = a->server().drain_blocking(kGuard);
  EXPECT_EQ(report.abandoned, 0u);
  const int before = done;
  while (done < before + 30) std::this_thread::yield();
  stop = true;
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(failures.load(), 0);
}

// ---- A server process that is killed

int serve_and_hang(int ready) {
  Runtime runtime;
  Server server(runtime);
  server.handle("test/hang", hanging);
  const Result<std::string> bound = server.listen("tcp://127.0.0.1:0");
  if (!bound || !server.start()) return 1;
  if (write(ready, bound->c_str(), bound->size() + 1) < 0) return 1;
  while (server.running() < 1000) std::this_thread::yield();
  const char full = 'f';
  if (write(ready, &full, 1) < 0) return 1;
  pause();
  return 0;
}

Task<void> hang_once(Client* client, std::atomic<int>* ended, std::atomic<int>* typed) {
  const Result<Reply> reply =
      co_await client->call(trace::Context(), "test/hang", Slice::copy_of("x"));
  ended->fetch_add(1);
  const CallFailure* failure = reply ? nullptr : call_failure(reply.error());
  if (failure != nullptr && reply.error().code() == Errc::connection_lost &&
      failure->reached == Reached::sent) {
    typed->fetch_add(1);
  }
}

Task<void> hang_all(Client* client, std::atomic<int>* ended, std::atomic<int>* typed) {
  std::vector<Task<void>> calls;
  for (int i = 0; i < 1000; ++i) calls.push_back(hang_once(client, ended, typed));
  co_await when_all(std::move(calls));
}

TEST(KilledServer, EndsEachOfAThousandCallsOnceWithItsCause) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const pid_t server = fork();
  if (server == 0) _exit(serve_and_hang(ends[1]));
  char address[64] = {};
  for (std::size_t at = 0; at == 0 || address[at - 1] != '\0'; ++at)
    ASSERT_EQ(read(ends[0], address + at, 1), 1);
  Runtime runtime;
  Client client(runtime, address);
  std::atomic<int> ended{0};
  std::atomic<int> typed{0};
  std::thread caller([&] { EXPECT_TRUE(runtime.block_on(hang_all(&client, &ended, &typed))); });
  char full = 0;
  EXPECT_EQ(read(ends[0], &full, 1), 1);
  kill(server, SIGKILL);
  caller.join();
  waitpid(server, nullptr, 0);
  EXPECT_EQ(ended.load(), 1000);
  EXPECT_EQ(typed.load(), 1000);
  close(ends[0]);
  close(ends[1]);
}

// ---- One of two servers stops, then dies, while calls wait to be sent to it

int serve_then_stop(int ready) {
  Runtime runtime;
  Server server(runtime);
  server.handle("who", echo);
  server.handle("work", hanging);
  const Result<std::string> bound = server.listen("tcp://127.0.0.1:0");
  if (!bound || !server.start()) return 1;
  if (write(ready, bound->c_str(), bound->size() + 1) < 0) return 1;
  pause();
  return 0;
}

struct Tally {
  std::atomic<int> ended{0};
  std::atomic<int> ok{0};
  std::atomic<int> lost{0};  // as it has to be said of a call that had been sent
};

Task<void> work_once(Client* client, Slice payload, Tally* tally) {
  const Result<Reply> reply = co_await client->call(trace::Context(), "work", std::move(payload));
  tally->ended += 1;
  tally->ok += reply ? 1 : 0;
  const CallFailure* failure = reply ? nullptr : call_failure(reply.error());
  tally->lost += failure != nullptr && reply.error().code() == Errc::connection_lost &&
                         failure->reached == Reached::sent
                     ? 1
                     : 0;
}

Task<void> work_all(Client* client, Slice payload, Tally* tally) {
  std::vector<Task<void>> calls;
  for (int i = 0; i < 1000; ++i) calls.push_back(work_once(client, payload, tally));
  co_await when_all(std::move(calls));
}

TEST(KilledServer, LosesWhatWasSentAndTheRestGoesElsewhere) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const pid_t doomed = fork();
  if (doomed == 0) _exit(serve_then_stop(ends[1]));
  char address[64] = {};
  for (std::size_t at = 0; at == 0 || address[at - 1] != '\0'; ++at)
    ASSERT_EQ(read(ends[0], address + at, 1), 1);
  Runtime runtime;
  Server other(runtime);
  std::atomic<int> worked{0};
  other.handle("who", [](Call& call) -> Task<Status> {
    call.reply(Slice::copy_of("other"));
    co_return Status::ok();
  });
  other.handle("work", [&worked](Call& call) -> Task<Status> {
    worked += 1;
    call.reply(Slice());
    co_return Status::ok();
  });
  const Result<std::string> bound = other.listen("tcp://127.0.0.1:0");
  ASSERT_TRUE(bound && other.start());
  Client client(runtime, std::string(address) + "," + *bound);
  const auto who = [&] {
    return client.call_blocking(trace::Context(), "who", Slice())->payload();
  };
  while (who() == who()) std::this_thread::yield();
  // It reads no more: what is beyond the sockets' buffers stays unsent.
  kill(doomed, SIGSTOP);
  Tally tally;
  std::thread caller([&] {
    const Slice payload = Slice::of(std::string(32u << 10, 'x'));
    EXPECT_TRUE(runtime.block_on(work_all(&client, payload, &tally)));
  });
  while (tally.ok < 500) std::this_thread::yield();
  kill(doomed, SIGKILL);
  caller.join();
  waitpid(doomed, nullptr, 0);
  EXPECT_EQ(tally.ended, 1000);
  EXPECT_EQ(tally.ok + tally.lost, 1000);
  EXPECT_EQ(worked, tally.ok);
  EXPECT_GT(tally.ok, 500) << "nothing went elsewhere";
  EXPECT_GT(tally.lost, 0) << "nothing had been sent";
  close(ends[0]);
  close(ends[1]);
}

}  // namespace
}  // namespace spanwire::rpc
