// What the spans of calls say of themselves: their scope, what samplers see, what is left out.
#include <unistd.h>

#include <filesystem>
#include <map>
#include <mutex>

#include "spanwire/trace/filter.hpp"
#include "tests/rpc/collected_spans.hpp"
#include "tests/rpc/rpc_fixture.hpp"

namespace spanwire::rpc {
namespace {

using Texts = std::map<std::string, std::string>;

// Records everything, and remembers what it was shown.
class Watching final : public trace::Sampler {
 public:
  trace::SamplingResult sample(const trace::SamplingInput& input) const noexcept override {
    Texts seen;
    for (const trace::Attribute& one : input.attributes) {
      seen[std::string(one.key.view())] = one.value.type() == trace::ValueType::int64
                                              ? std::to_string(one.value.int64())
                                              : std::string(one.value.text());
    }
    const std::lock_guard lock(mutex_);
    seen_[input.kind] = seen;
    return {trace::Decision::record_and_sample};
  }
  std::string describe() const override { return "Watching"; }
  Texts seen(trace::SpanKind kind) const {
    const std::lock_guard lock(mutex_);
    return seen_[kind];
  }

 private:
  mutable std::mutex mutex_;
  mutable std::map<trace::SpanKind, Texts> seen_;
};

struct OwnException : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class SpanStart : public RpcTest {
 protected:
  void trace_with(trace::SamplerPtr sampler) {
    trace::ProviderOptions options;
    options.sampler = std::move(sampler);
    options.exporters.push_back(std::make_unique<CollectingExporter>(store_));
    trace::init(std::move(options));
  }
  void serve(const std::string& address) {
    server().handle("test/own", [](Call&) -> Task<Status> {
      throw OwnException("mine");
      co_return Status::ok();
    });
    server().handle("test/number", [](Call&) -> Task<Status> {
      throw 7;
      co_return Status::ok();
    });
    const Result<std::string> bound = server().listen(address);
    ASSERT_TRUE(bound && server().start());
    address_ = *bound;
    client_ = std::make_unique<Client>(runtime_, address_);
  }
  CollectedSpan span_of(std::string_view path, trace::SpanKind kind) {
    server_.reset();
    client_.reset();
    EXPECT_TRUE(trace::provider()->shutdown(kGuard).in_time);
    for (const CollectedSpan& span : store_->take()) {
      if (span.name == path && span.kind == kind) return span;
    }
    ADD_FAILURE() << "no span " << path;
    return {};
  }

  std::shared_ptr<SpanStore> store_ = std::make_shared<SpanStore>();
};

TEST_F(SpanStart, ShowsSamplersWhatIsCalled) {
  const auto watching = std::make_shared<Watching>();
  trace_with(watching);
  serve("tcp://127.0.0.1:0");
  ASSERT_TRUE(call("test/echo", "x"));
  const std::string port = address_.substr(address_.rfind(':') + 1);
  EXPECT_EQ(watching->seen(trace::SpanKind::client), (Texts{{"rpc.system.name", "spanwire"},
                                                            {"rpc.method", "test/echo"},
                                                            {"server.address", "127.0.0.1"},
                                                            {"server.port", port}}));
  EXPECT_EQ(watching->seen(trace::SpanKind::server),
            (Texts{{"rpc.system.name", "spanwire"}, {"rpc.method", "test/echo"}}));
  const CollectedSpan caller = span_of("test/echo", trace::SpanKind::client);
  EXPECT_EQ(caller.attributes.at("server.port"), port);
  EXPECT_EQ(caller.attributes.at("rpc.method"), "test/echo");
}

TEST_F(SpanStart, ShowsSamplersAPathThatNobodyServes) {
  const auto watching = std::make_shared<Watching>();
  trace_with(watching);
  serve("tcp://127.0.0.1:0");
  EXPECT_FALSE(call("test/nothing", "x"));
  EXPECT_EQ(watching->seen(trace::SpanKind::server),
            (Texts{{"rpc.system.name", "spanwire"},
                   {"rpc.method", "_OTHER"},
                   {"rpc.method_original", "test/nothing"}}));
  trace::provider()->shutdown(kGuard);
}

TEST_F(SpanStart, FiltersSeeTheServer) {
  const Result<trace::FilterRule> rule =
      trace::parse_filter_rule("attribute.server.address=127.0.0.1");
  ASSERT_TRUE(rule);
  trace_with(trace::filtered({*rule}, trace::always_on()));
  serve("tcp://127.0.0.1:0");
  ASSERT_TRUE(call("test/echo", "x"));
  server_.reset();
  client_.reset();
  trace::provider()->shutdown(kGuard);
  for (const CollectedSpan& span : store_->take()) EXPECT_NE(span.kind, trace::SpanKind::client);
}

TEST_F(SpanStart, NamesTheTypeOfAnException) {
  trace_with(trace::always_on());
  serve("tcp://127.0.0.1:0");
  EXPECT_FALSE(call("test/own", ""));
  const CollectedSpan span = span_of("test/own", trace::SpanKind::server);
  EXPECT_EQ(span.event_attributes.at("exception.type"),
            "spanwire::rpc::(anonymous namespace)::OwnException");
  EXPECT_EQ(span.event_attributes.at("exception.message"), "mine");
}

TEST_F(SpanStart, NamesTheTypeOfWhatIsNoException) {
  trace_with(trace::always_on());
  serve("tcp://127.0.0.1:0");
  EXPECT_FALSE(call("test/number", ""));
  const CollectedSpan span = span_of("test/number", trace::SpanKind::server);
  EXPECT_EQ(span.event_attributes.at("exception.type"), "int");
}

TEST_F(SpanStart, ScopeHasVersionAndSchema) {
  trace_with(trace::always_on());
  serve("tcp://127.0.0.1:0");
  ASSERT_TRUE(call("test/echo", "x"));
  const CollectedSpan span = span_of("test/echo", trace::SpanKind::server);
  EXPECT_EQ(span.scope.name, "spanwire.rpc");
  EXPECT_EQ(span.scope.version.find_first_not_of("0123456789."), std::string::npos);
  EXPECT_FALSE(span.scope.version.empty());
  EXPECT_TRUE(span.scope.schema_url.starts_with("https://opentelemetry.io/schemas/1."));
}

// A client behind a Unix socket has none.
TEST_F(SpanStart, InventsNoPeerAddress) {
  trace_with(trace::always_on());
  const auto path = std::filesystem::temp_directory_path() /
                    ("spanwire-" + std::to_string(getpid()) + "-span-start");
  serve("unix://" + path.string());
  ASSERT_TRUE(call("test/echo", "x"));
  const CollectedSpan span = span_of("test/echo", trace::SpanKind::server);
  EXPECT_FALSE(span.attributes.contains("network.peer.address"))
      << span.attributes.at("network.peer.address");
}

}  // namespace
}  // namespace spanwire::rpc
