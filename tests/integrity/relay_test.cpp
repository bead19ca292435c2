// Three processes: a frontend that traces, a relay without a provider, a worker that traces.  What
// the two write is one tree, as if the relay were not there.
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "spanwire/inspect/reader.hpp"
#include "spanwire/inspect/tree.hpp"
#include "spanwire/otlp/environment.hpp"
#include "spanwire/rpc/client.hpp"
#include "spanwire/rpc/server.hpp"
#include "spanwire/trace/tracer.hpp"
#include "tests/support/child_program.hpp"
#include "tests/support/leak_check.hpp"

namespace spanwire {
namespace {

using rpc::Call;
using rpc::Client;
using rpc::Reply;
using rpc::Server;
using rpc::Status;
using testing::ChildProgram;

constexpr std::chrono::seconds kGuard{30};
constexpr int kCalls = 3;

void tell_address(const Server& server) {
  std::printf("\naddress %s\n", server.addresses().front().c_str());
  std::fflush(stdout);
}

// ---- The three programs

TEST(DISABLED_RelayPrograms, Worker) {
  ASSERT_NE(otlp::init_from_env(), nullptr);
  {
    rpc::Runtime runtime;
    Server server(runtime, rpc::ServerOptions().listen("tcp://127.0.0.1:0"));
    server.handle("answer", [](Call& call) -> Task<Status> {
      call.reply(call.payload());
      co_return Status::ok();
    });
    ASSERT_TRUE(server.start());
    tell_address(server);
    testing::wait_for_end_of_input();
  }
  EXPECT_TRUE(trace::provider()->shutdown(kGuard).complete());
}

TEST(DISABLED_RelayPrograms, Relay) {
  ASSERT_EQ(trace::provider(), nullptr);
  rpc::Runtime runtime;
  Client worker(runtime, std::getenv("SPANWIRE_TEST_ADDRESS"));
  Server server(runtime, rpc::ServerOptions().listen("tcp://127.0.0.1:0"));
  server.handle("relay", [&worker](Call& call) -> Task<Status> {
    Result<Reply> reply = co_await worker.call(call.context(), "answer", call.payload());
    if (!reply) co_return Status(rpc::status_of(reply.error()), reply.error().message());
    call.reply(reply->payload());
    co_return Status::ok();
  });
  ASSERT_TRUE(server.start());
  tell_address(server);
  testing::wait_for_end_of_input();
}

TEST(DISABLED_RelayPrograms, Frontend) {
  ASSERT_NE(otlp::init_from_env(), nullptr);
  {
    rpc::Runtime runtime;
    Client relay(runtime, std::getenv("SPANWIRE_TEST_ADDRESS"));
    const trace::Span request = trace::tracer("frontend").start({}, "request");
    const trace::Context context(request.context());
    for (int i = 0; i < kCalls; ++i) {
      const Result<Reply> reply = relay.call_blocking(context, "relay", Slice::copy_of("x"));
      ASSERT_TRUE(reply) << reply.error().message();
    }
  }
  EXPECT_TRUE(trace::provider()->shutdown(kGuard).complete());
}

// ---- What they wrote

class Relay : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "spanwire-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::vector<std::string> traced(const std::string& service,
                                  const std::string& address = "") const {
    return {"SPANWIRE_TRACES_FILE=" + file(service), "OTEL_SERVICE_NAME=" + service,
            "SPANWIRE_TEST_ADDRESS=" + address};
  }
  std::string file(const std::string& service) const { return folder_ / (service + ".jsonl"); }

  testing::LeakCheck leaks_;
  std::filesystem::path folder_;
};

TEST_F(Relay, WithoutAProviderIsInvisibleInOneTree) {
  ChildProgram worker("DISABLED_RelayPrograms.Worker", traced("worker"));
  ChildProgram relay(
      "DISABLED_RelayPrograms.Relay",
      {"SPANWIRE_TRACES_FILE=", "SPANWIRE_TEST_ADDRESS=" + worker.line_after("address ")});
  ChildProgram frontend("DISABLED_RelayPrograms.Frontend",
                        traced("frontend", relay.line_after("address ")));
  EXPECT_EQ(frontend.finish(), 0);
  EXPECT_EQ(relay.finish(), 0);
  EXPECT_EQ(worker.finish(), 0);

  inspect::Reader reader;
  ASSERT_TRUE(reader.read_file(file("frontend")));
  ASSERT_TRUE(reader.read_file(file("worker")));
  EXPECT_EQ(reader.report().problem_count, 0u);
  const std::vector<inspect::Span>& spans = reader.traces().spans;
  const std::vector<inspect::Tree> trees = inspect::build_trees(reader.traces());
  ASSERT_EQ(trees.size(), 1u);
  const inspect::Tree& tree = trees.front();
  EXPECT_EQ(tree.roots, 1u);
  EXPECT_EQ(tree.orphans, 0u);
  EXPECT_EQ(tree.processes, 2u);
  ASSERT_EQ(tree.nodes.size(), 1u + 2u * kCalls);
  int served = 0;
  for (const inspect::Node& node : tree.nodes) {
    const inspect::Span& span = spans[node.span];
    if (span.kind != inspect::SpanKind::server) continue;
    ++served;
    EXPECT_EQ(span.name, "answer");
    const inspect::Span& parent = spans[tree.nodes[node.parent].span];
    EXPECT_EQ(parent.kind, inspect::SpanKind::client);
    EXPECT_EQ(parent.name, "relay");
  }
  EXPECT_EQ(served, kCalls);
}

}  // namespace
}  // namespace spanwire
