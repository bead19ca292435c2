// The promises of trace on every channel while its links are cut, delayed and shortened (or, where
// nothing can come between, the server behind goes and comes back): what was
// sent, what was received, no orphan that nothing explains, no forged flag, and what is lost is
// what the counters say.
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <ostream>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "spanwire/base/counters.hpp"
#include "spanwire/base/random.hpp"
#include "spanwire/base/when.hpp"
#include "spanwire/rpc/client.hpp"
#include "spanwire/rpc/server.hpp"
#include "spanwire/trace/tracer.hpp"
#include "spanwire/transport/address.hpp"
#include "tests/integrity/span_ledger.hpp"
#include "tests/support/cutting_proxy.hpp"
#include "tests/support/leak_check.hpp"

namespace spanwire {
namespace {

using namespace std::chrono_literals;
using rpc::Call;
using rpc::Client;
using rpc::Reply;
using rpc::Server;
using rpc::Status;
using testing::CuttingProxy;
using testing::SpanLedger;

constexpr auto kGuard = 60s;
constexpr int kCallers = 8;
constexpr int kCallsEach = 40;

struct Way {
  const char* name;
  const char* scheme;  // of the client's address
  transport::LinkMode mode;
  bool all_flags;  // v1 carries the sampled bit only
};
constexpr Way kWays[] = {
    {"v2_memory", "memory://", transport::LinkMode::bytes, true},
    {"v2_multipart", "memory://", transport::LinkMode::multipart, true},
    {"v2_tcp", "tcp://", transport::LinkMode::bytes, true},
    {"v2_zmq_tcp", "zmq+tcp://", transport::LinkMode::multipart, true},
    {"v2_zmq_ipc", "zmq+ipc://", transport::LinkMode::multipart, true},
    {"v2_zmq_inproc", "zmq+inproc://", transport::LinkMode::multipart, true},
    {"v1_tcp", "dynamo+tcp://", transport::LinkMode::bytes, false},
};
void PrintTo(const Way& way, std::ostream* out) { *out << way.name; }

// What a caller hands in, by the number of the call.
struct Origin {
  std::uint8_t flags;
  const char* tracestate;
};
constexpr Origin kOrigins[] = {
    {0x03, "vendor=opaque"}, {0x01, ""}, {0x02, "a=1,b=2"}, {0x00, "vendor=quiet"}};

trace::SpanContext remote_span(int number) {
  Random random(static_cast<std::uint64_t>(number) + 1);
  return {trace::TraceId::generate(random), trace::SpanId::generate(random),
          kOrigins[number % 4].flags};
}

// What the handlers saw, over all hops.
struct Arrivals {
  std::atomic<int> received{0};
  std::atomic<int> received_sampled{0};
  std::atomic<int> called{0};  // requests sent on, and those the callers made
  std::atomic<int> called_sampled{0};
  std::atomic<int> forged{0};

  void note(const Call& call, bool all_flags) {
    const int number = std::stoi(call.header("x-request-id").value_or("-1"));
    const Origin& origin = kOrigins[number % 4];
    const std::uint8_t expected = all_flags ? origin.flags : origin.flags & trace::kFlagSampled;
    const std::string parent = call.header("traceparent").value_or("");
    const trace::SpanContext& span = call.context().span();
    const bool same = parent.substr(3, 32) == remote_span(number).trace_id().hex().str() &&
                      parent.substr(53) == "0" + std::to_string(expected) &&
                      call.header("tracestate").value_or("") == origin.tracestate &&
                      span.flags() == expected &&
                      parent.substr(3, 32) == span.trace_id().hex().str();
    forged += same ? 0 : 1;
    received += 1;
    received_sampled += span.sampled() ? 1 : 0;
  }
  void note_call(bool sampled) {
    called += 1;
    called_sampled += sampled ? 1 : 0;
  }
};

// One server behind a link that fails, and a client of it.
class Hop {
 public:
  Hop(rpc::Runtime& runtime, const Way& way, std::uint64_t seed, const char* name)
      : runtime_(runtime), way_(way), seed_(seed), name_(name) {}

  Client& client() { return *client_; }

  void open(const char* path, rpc::Handler handler) {
    path_ = std::string(path);
    handler_ = std::move(handler);
    const std::string_view scheme = way_.scheme;
    const bool tcp = scheme.ends_with("tcp://");
    const bool file = scheme == "zmq+ipc://";
    const std::string host = tcp ? "127.0.0.1:0" : (file ? "/tmp/" : "") + unique_name();
    // v1 and v2 share a port, and v1 has no address of its own to listen on.
    const std::string where = (scheme == "dynamo+tcp://" ? "tcp://" : way_.scheme) + host;
    ASSERT_TRUE(serve(where));
    address_ = server_->addresses().at(0);
    std::string address = address_;
    if (tcp) {
      const std::uint16_t port = transport::parse_address(address_)->port;
      proxy_ = std::make_unique<CuttingProxy>(port, seed_, kCutMin, kCutMax);
    } else if (file) {
      proxy_ = std::make_unique<CuttingProxy>(host, seed_, kCutMin, kCutMax);
    }
    if (proxy_ != nullptr) address = way_.scheme + proxy_->address();
    client_ = std::make_unique<Client>(runtime_, address, options());
  }
  // The server goes, with all that it has not answered, and another comes.
  void restart() {
    server_.reset();
    // libzmq gives the name back on a thread of its own.
    while (!serve(address_)) std::this_thread::yield();
  }
  void close() {
    client_.reset();
    server_.reset();
    proxy_.reset();
  }

 private:
  static constexpr std::size_t kCutMin = 1'000;
  static constexpr std::size_t kCutMax = 12'000;

  std::string unique_name() const {
    return name_ + std::to_string(::getpid()) + "-" + std::to_string(seed_);
  }
  bool serve(const std::string& where) {
    server_ = std::make_unique<Server>(runtime_);
    server_->handle(path_, handler_);
    const Result<std::string> bound = server_->listen(where);
    EXPECT_TRUE(bound || bound.error() == Errc::already_exists) << bound.error().message();
    return bound && server_->start();
  }
  rpc::ClientOptions options() const {
    rpc::ClientOptions options;
    options.wait_for_ready = true;
    options.default_timeout = kGuard;
    options.reconnect_first = options.reconnect_last = 1ms;
    options.memory.mode = way_.mode;
    options.memory.faults.seed = seed_;
    options.memory.faults.delay_max = 1ms;
    options.memory.faults.read_bytes_max = 700;
    options.memory.faults.write_bytes_max = 900;
    options.memory.faults.cut_after_bytes = 5'000 + seed_ % 100 * 97;
    return options;
  }

  rpc::Runtime& runtime_;
  const Way way_;
  const std::uint64_t seed_;
  const std::string name_;
  rpc::Path path_;
  rpc::Handler handler_;
  std::string address_;
  std::unique_ptr<CuttingProxy> proxy_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<Client> client_;
};

struct Exporting {
  const char* name;
  bool fails;  // batches, as its seed says; and the rings are small
};
constexpr Exporting kExporters[] = {{"healthy", false}, {"failing", true}};
void PrintTo(const Exporting& exporting, std::ostream* out) { *out << exporting.name; }

class LinkFaults : public ::testing::TestWithParam<std::tuple<Way, Exporting, std::uint64_t>> {
 protected:
  const Way& way() const { return std::get<0>(GetParam()); }
  bool exporter_fails() const { return std::get<1>(GetParam()).fails; }
  std::uint64_t seed() const { return std::get<2>(GetParam()); }

  void SetUp() override {
    trace::ProviderOptions options;
    options.exporters.push_back(ledger_.exporter(exporter_fails() ? seed() : 0));
    if (exporter_fails()) options.ring_bytes_per_thread = 64u << 10;
    options.batch_spans_max = 32;
    trace::init(std::move(options));
    front_.open("front", [this](Call& call) { return relay(call); });
    back_.open("back", [this](Call& call) { return answer(call); });
  }

  Task<Status> relay(Call& call) {
    arrivals_.note(call, way().all_flags);
    Result<Reply> reply = co_await back_.client().call(call.context(), "back", call.payload());
    // Cancelled before it began, it was no call.
    const bool was_call = reply || rpc::call_failure(reply.error()) != nullptr;
    note_fault(reply);
    if (was_call) arrivals_.note_call(call.context().span().sampled());
    if (!reply) co_return Status(rpc::status_of(reply.error()), reply.error().message());
    call.reply(reply->payload());
    co_return Status::ok();
  }
  Task<Status> answer(Call& call) {
    arrivals_.note(call, way().all_flags);
    call.reply(call.payload());
    co_return Status::ok();
  }

  Task<void> make_calls(int caller) {
    for (int i = 0; i < kCallsEach; ++i) {
      const int number = caller * kCallsEach + i;
      const trace::SpanContext span = remote_span(number);
      trace::Context context = trace::Context()
                                   .with_span(span, kOrigins[number % 4].tracestate)
                                   .with_x_request_id(std::to_string(number));
      ledger_.add_remote_parent(span.span_id());
      arrivals_.note_call(span.sampled());
      const Result<Reply> reply =
          co_await front_.client().call(std::move(context), "front", Slice::copy_of("payload"));
      replied_ += reply ? 1 : 0;
      note_fault(reply);
      ended_ += 1;
    }
  }
  Task<void> call_all() {
    std::vector<Task<void>> callers;
    for (int caller = 0; caller < kCallers; ++caller) callers.push_back(make_calls(caller));
    co_await when_all(std::move(callers));
  }

  // Nothing comes between two ends inside of one process: there the server behind goes, now and
  // then.
  void restart_now_and_then() {
    if (std::string_view(way().scheme) != "zmq+inproc://") return;
    for (int after = 40; after < kCallers * kCallsEach; after += 40) {
      while (ended_ < after) std::this_thread::yield();
      back_.restart();
      restarts_ += 1;
    }
  }

  // Every call has ended, nothing runs any more, what was recorded is exported or lost.
  trace::TraceStats settle() {
    std::thread fault([this] { restart_now_and_then(); });
    EXPECT_TRUE(runtime_.block_on(call_all()));
    fault.join();
    for (Hop* hop : {&front_, &back_}) hop->close();
    EXPECT_TRUE(trace::provider()->force_flush(kGuard).in_time);
    const trace::TraceStats stats = trace::provider()->stats();
    trace::provider()->shutdown(kGuard);
    return stats;
  }
  void note_fault(const Result<Reply>& reply) {
    lost_ += !reply && reply.error().code() == Errc::connection_lost ? 1 : 0;
  }
  // Calls under which the connection broke, and servers that went.
  int faults() const { return lost_ + retries() + restarts_; }
  int retries() const {
    return static_cast<int>(counter_snapshot().value(kRetries) - retries_before_);
  }

  static constexpr const char* kRetries = "spanwire.rpc.client.retries";
  const std::int64_t retries_before_ = counter_snapshot().value(kRetries);
  std::atomic<int> lost_{0};
  std::atomic<int> restarts_{0};
  testing::LeakCheck leaks_;
  SpanLedger ledger_;
  Arrivals arrivals_;
  rpc::Runtime runtime_{[] {
    rpc::RuntimeOptions options;
    options.threads = 2;
    return options;
  }()};
  Hop back_{runtime_, way(), seed(), "integrity-back-"};
  Hop front_{runtime_, way(), seed() + 1000, "integrity-front-"};
  std::atomic<int> ended_{0};
  std::atomic<int> replied_{0};
};

TEST_P(LinkFaults, CostNoSpanAndForgeNoFlag) {
  const trace::TraceStats stats = settle();
  EXPECT_EQ(ended_, kCallers * kCallsEach);
  EXPECT_GT(replied_, 0);
  EXPECT_GT(faults(), 0) << "no link was cut: the test shows nothing";

  // Sent and received: a span for each call made, one for each request that a handler got.
  EXPECT_LE(arrivals_.received, arrivals_.called + retries());
  EXPECT_EQ(stats.recorded,
            static_cast<std::uint64_t>(arrivals_.called_sampled + arrivals_.received_sampled));
  EXPECT_EQ(arrivals_.forged, 0);

  // Lost equals the counters.
  EXPECT_EQ(stats.open, 0u);
  EXPECT_EQ(stats.queued, 0u);
  EXPECT_EQ(stats.recorded, stats.exported + stats.lost.total()) << stats.lost.to_string();
  EXPECT_EQ(stats.exported, ledger_.size());
  EXPECT_EQ(ledger_.repeated(), 0u);
  EXPECT_EQ(ledger_.misplaced(), 0u);
  if (exporter_fails()) {
    EXPECT_GT(stats.lost.total(), 0u);
    EXPECT_LE(ledger_.orphans(), stats.lost.total());
    return;
  }
  EXPECT_EQ(stats.lost.total(), 0u) << stats.lost.to_string();
  EXPECT_EQ(ledger_.orphans(), 0u);
  EXPECT_EQ(ledger_.of_kind(trace::SpanKind::client),
            static_cast<std::size_t>(arrivals_.called_sampled));
  EXPECT_EQ(ledger_.of_kind(trace::SpanKind::server),
            static_cast<std::size_t>(arrivals_.received_sampled));
}

INSTANTIATE_TEST_SUITE_P(Channels, LinkFaults,
                         ::testing::Combine(::testing::ValuesIn(kWays),
                                            ::testing::ValuesIn(kExporters),
                                            ::testing::Values(1, 2, 3)),
                         [](const auto& kind) {
                           return std::string(std::get<0>(kind.param).name) + "_" +
                                  std::get<1>(kind.param).name + "_" +
                                  std::to_string(std::get<2>(kind.param));
                         });

}  // namespace
}  // namespace spanwire
