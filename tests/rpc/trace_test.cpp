// The promises of trace, as far as calls keep them: one request is one tree, whatever carries it.
#include <thread>

#include "spanwire/channel/v2.hpp"
#include "spanwire/trace/tracer.hpp"
#include "spanwire/transport/address.hpp"
#include "tests/rpc/collected_spans.hpp"
#include "tests/rpc/rpc_fixture.hpp"
#include "tests/support/log_capture.hpp"

namespace spanwire::rpc {
namespace {

const trace::Tracer& test_tracer() {
  static const trace::Tracer tracer = trace::tracer("test");
  return tracer;
}

class TraceTest : public RpcTest {
 protected:
  void trace_with(trace::SamplerPtr sampler) {
    trace::ProviderOptions options;
    options.sampler = std::move(sampler);
    options.exporters.push_back(std::make_unique<CollectingExporter>(store_));
    trace::init(std::move(options));
  }
  void SetUp() override { trace_with(trace::parent_based(trace::always_on())); }
  void TearDown() override {
    client_.reset();
    server_.reset();
    if (trace::Provider* provider = trace::provider()) {
      const trace::FlushReport report = provider->shutdown(kGuard);
      EXPECT_EQ(report.open, 0u) << "a span was left open";
      EXPECT_EQ(report.lost.total(), 0u) << report.to_string();
    }
  }
  // All spans that have ended so far.
  std::vector<CollectedSpan> spans() {
    const trace::FlushReport report = trace::provider()->force_flush(kGuard);
    EXPECT_TRUE(report.in_time) << report.to_string();
    EXPECT_EQ(report.lost.total(), 0u) << report.to_string();
    return store_->take();
  }
  static const CollectedSpan& find(const std::vector<CollectedSpan>& all, std::string_view name,
                                   trace::SpanKind kind) {
    for (const CollectedSpan& span : all) {
      if (span.name == name && span.kind == kind) return span;
    }
    ADD_FAILURE() << "no span " << name;
    static const CollectedSpan none;
    return none;
  }
  Result<Reply> call_in(const trace::Context& context, std::string_view path,
                        std::string_view payload = "") {
    return client_->call_blocking(context, path, Slice::copy_of(payload));
  }

  std::shared_ptr<SpanStore> store_ = std::make_shared<SpanStore>();
};

TEST_F(TraceTest, ACallThatAShutdownCancelsSaysSo) {
  client();
  std::thread caller([this] { EXPECT_FALSE(call_in(trace::Context(), "test/hang")); });
  while (server().running() == 0) std::this_thread::yield();
  EXPECT_EQ(client_->shutdown_blocking(std::chrono::milliseconds(1))->cancelled, 1u);
  caller.join();
  server_.reset();
  const std::vector<CollectedSpan> all = spans();
  const CollectedSpan& span = find(all, "test/hang", trace::SpanKind::client);
  EXPECT_EQ(span.attributes.at("rpc.status_code"), "CANCELLED");
  ASSERT_FALSE(span.events.empty());
  EXPECT_EQ(span.events.back(), "rpc.cancel");
  EXPECT_EQ(find(all, "test/hang", trace::SpanKind::server).attributes.at("rpc.status_code"),
            "CANCELLED");
}

TEST_F(TraceTest, TheServerSpanIsTheChildOfTheClientSpan) {
  client();
  trace::Span root = test_tracer().start(trace::Context(), "request", trace::SpanKind::internal);
  ASSERT_TRUE(call_in(trace::Context().with_span(root.context()), "test/echo", "x"));
  root.end();
  server_.reset();
  const std::vector<CollectedSpan> all = spans();
  ASSERT_EQ(all.size(), 3u);
  const CollectedSpan& top = find(all, "request", trace::SpanKind::internal);
  const CollectedSpan& caller = find(all, "test/echo", trace::SpanKind::client);
  const CollectedSpan& served = find(all, "test/echo", trace::SpanKind::server);
  EXPECT_EQ(caller.parent_id, top.span_id);
  EXPECT_EQ(served.parent_id, caller.span_id);
  EXPECT_EQ(caller.trace_id, top.trace_id);
  EXPECT_EQ(served.trace_id, top.trace_id);
  EXPECT_EQ(caller.attributes.at("rpc.system.name"), "spanwire");
  EXPECT_EQ(caller.attributes.at("rpc.method"), "test/echo");
  EXPECT_EQ(served.attributes.at("rpc.status_code"), "OK");
  if (address_.find("tcp://") != std::string::npos) {
    EXPECT_EQ(caller.attributes.at("network.peer.address"), "127.0.0.1");
    EXPECT_TRUE(address_.ends_with("tcp://127.0.0.1:" + caller.attributes.at("network.peer.port")));
  } else if (address_.starts_with("memory://")) {
    EXPECT_EQ(caller.attributes.at("network.peer.address"), address_);
  } else {
    EXPECT_TRUE(address_.ends_with("://" + caller.attributes.at("network.peer.address")));
  }
  const transport::Address target = *transport::parse_address(address_);
  EXPECT_EQ(caller.attributes.at("server.address"), target.host);
  EXPECT_EQ(caller.attributes.contains("server.port"), target.port != 0);
  EXPECT_EQ(caller.status, trace::StatusCode::unset);
  // The first call had to wait for a connection.
  EXPECT_EQ(caller.events, std::vector<std::string>{"rpc.connect"});
  for (const char* phase : {"connect", "network", "handler"}) {
    EXPECT_TRUE(caller.attributes.contains("spanwire.phase." + std::string(phase) + "_ns"))
        << phase;
  }
}

TEST_F(TraceTest, FailuresMarkBothSpansAndKeepTheTextInside) {
  client();
  EXPECT_FALSE(call_in(trace::Context(), "test/throw"));
  server_.reset();
  const std::vector<CollectedSpan> all = spans();
  const CollectedSpan& caller = find(all, "test/throw", trace::SpanKind::client);
  const CollectedSpan& served = find(all, "test/throw", trace::SpanKind::server);
  EXPECT_EQ(caller.status, trace::StatusCode::error);
  EXPECT_EQ(caller.attributes.at("error.type"), "UNKNOWN");
  EXPECT_EQ(served.events, std::vector<std::string>{"exception"});
}

TEST_F(TraceTest, ACallThatNobodyTookNamesItsTarget) {
  client();
  ASSERT_TRUE(call("test/echo", "x"));
  server_.reset();
  EXPECT_FALSE(call_in(trace::Context(), "test/upper"));
  const CollectedSpan caller = find(spans(), "test/upper", trace::SpanKind::client);
  EXPECT_EQ(caller.attributes.at("server.address"), transport::parse_address(address_)->host);
  EXPECT_EQ(caller.attributes.at("error.type"), "UNAVAILABLE");
}

TEST_F(TraceTest, AHandlerOnThePoolSaysHowLongItWaited) {
  server().handle("test/block", [](Call&) { return Status::ok(); }, RunOn::pool(1));
  client();
  ASSERT_TRUE(call_in(trace::Context(), "test/block", "x"));
  server_.reset();
  const CollectedSpan served = find(spans(), "test/block", trace::SpanKind::server);
  EXPECT_TRUE(served.attributes.contains("spanwire.phase.queue_ns"));
}

TEST_F(TraceTest, AnUnknownPathNamesNoSpan) {
  client();
  EXPECT_FALSE(call_in(trace::Context(), "test/../secret"));
  server_.reset();
  const CollectedSpan served = find(spans(), "spanwire", trace::SpanKind::server);
  EXPECT_EQ(served.attributes.at("rpc.method"), "_OTHER");
  EXPECT_EQ(served.attributes.at("rpc.method_original"), "test/../secret");
}

// Who may call with any path must fill neither spans nor the log with it.
TEST_F(TraceTest, OfALongPathOnlyTheBeginningIsKept) {
  const std::string unknown(4000, 'u');
  const std::string throws(4000, 't');
  server().handle(throws, throwing);
  client();
  const testing::LogCapture log;
  EXPECT_FALSE(call_in(trace::Context(), unknown));
  EXPECT_FALSE(call_in(trace::Context(), throws));
  server_.reset();
  const CollectedSpan served = find(spans(), "spanwire", trace::SpanKind::server);
  EXPECT_EQ(served.attributes.at("rpc.method_original"), unknown.substr(0, 256));
  EXPECT_EQ(log.count("a handler threw"), 1u);
  EXPECT_TRUE(log.contains(throws.substr(0, 256) + "... (4000 bytes)"));
  EXPECT_FALSE(log.contains(throws.substr(0, 257)));
}

TEST_F(TraceTest, OneWayMessagesMakeProducerAndConsumer) {
  client();
  const auto note = [](Client* called) -> Task<Result<void>> {
    Result<void> sent = co_await called->notify(trace::Context(), "test/echo", Slice::copy_of("n"));
    co_return sent;
  };
  ASSERT_TRUE(runtime_.block_on(note(client_.get())));
  ASSERT_TRUE(call("test/upper", ""));  // behind it on the same connection
  server_.reset();
  const std::vector<CollectedSpan> all = spans();
  const CollectedSpan& producer = find(all, "test/echo", trace::SpanKind::producer);
  const CollectedSpan& consumer = find(all, "test/echo", trace::SpanKind::consumer);
  EXPECT_EQ(consumer.parent_id, producer.span_id);
}

// Three servers in a row; the middle one also starts work that outlives its call.
TEST_F(TraceTest, SpawnedTasksAndThreadsStayInTheTree) {
  client();
  std::thread raw;
  server().set_serving(true);
  Server relay(runtime_);
  const auto work = [](trace::Context context) -> Task<void> {
    trace::Span span = test_tracer().start(context, "detached", trace::SpanKind::internal);
    const Result<void> slept = co_await sleep_for(std::chrono::milliseconds(1));
    static_cast<void>(slept);
  };
  relay.handle("test/relay", [&](Call& call) -> Task<Status> {
    runtime_.spawn(work(call.context().without_cancellation()));
    raw = std::thread([context = call.context()] {
      trace::Span span = test_tracer().start(context, "thread", trace::SpanKind::internal);
    });
    Result<Reply> reply = co_await client_->call(call.context(), "test/upper", call.payload());
    if (!reply) co_return Status(status_of(reply.error()));
    call.reply(reply->payload());
    co_return Status::ok();
  });
  const Result<std::string> at = relay.listen("tcp://127.0.0.1:0");
  ASSERT_TRUE(at && relay.start());
  Client first(runtime_, *at);
  const Result<Reply> reply =
      first.call_blocking(trace::Context(), "test/relay", Slice::copy_of("abc"));
  ASSERT_TRUE(reply) << reply.error().message();
  EXPECT_EQ(reply->payload().text(), "ABC");
  raw.join();
  std::vector<CollectedSpan> all;
  while (all.size() < 6) {
    for (CollectedSpan& span : spans()) all.push_back(std::move(span));
  }
  const CollectedSpan& served = find(all, "test/relay", trace::SpanKind::server);
  EXPECT_EQ(find(all, "detached", trace::SpanKind::internal).parent_id, served.span_id);
  EXPECT_EQ(find(all, "thread", trace::SpanKind::internal).parent_id, served.span_id);
  EXPECT_EQ(find(all, "test/upper", trace::SpanKind::client).parent_id, served.span_id);
  for (const CollectedSpan& span : all) EXPECT_EQ(span.trace_id, all.front().trace_id);
}

Task<Status> show_context(Call& call) {
  call.reply(Slice::of(call.header("traceparent").value_or("none") + "|" +
                       call.header("tracestate").value_or("none") + "|" +
                       call.header("baggage").value_or("none") + "|" +
                       call.header("x-request-id").value_or("none")));
  co_return Status::ok();
}

TEST_F(TraceTest, WhatIsNotSampledIsForwardedAsItCame) {
  server().handle("test/show", show_context);
  client();
  const trace::SpanContext remote(*trace::TraceId::from_hex("4bf92f3577b34da6a3ce929d0e0e4736"),
                                  *trace::SpanId::from_hex("00f067aa0ba902b7"), 0x02);
  const trace::Context context = trace::Context()
                                     .with_span(remote, "a=1,b=2")
                                     .with_baggage_text("k=v")
                                     .with_x_request_id("req-1");
  const Result<Reply> reply = call_in(context, "test/show");
  ASSERT_TRUE(reply);
  const std::string seen(reply->payload().text());
  EXPECT_EQ(seen.substr(0, 36), "00-4bf92f3577b34da6a3ce929d0e0e4736-");
  EXPECT_EQ(seen.substr(52), "-02|a=1,b=2|k=v|req-1");
  server_.reset();
  EXPECT_TRUE(spans().empty());
}

TEST_F(TraceTest, TrustIsTheListeners) {
  server().handle("test/show", show_context);
  ListenOptions linked;
  linked.trust = trace::TrustRemote::link;
  ListenOptions ignored;
  ignored.trust = trace::TrustRemote::ignore;
  const Result<std::string> link_address = server().listen("tcp://127.0.0.1:0", linked);
  const Result<std::string> ignore_address = server().listen("tcp://127.0.0.1:0", ignored);
  ASSERT_TRUE(link_address && ignore_address && server().start());
  for (const std::string& address : {*link_address, *ignore_address}) {
    Client each(runtime_, address);
    ASSERT_TRUE(each.call_blocking(trace::Context(), "test/show", Slice()));
  }
  server_.reset();
  const std::vector<CollectedSpan> all = spans();
  ASSERT_EQ(all.size(), 4u);
  for (const CollectedSpan& span : all) {
    if (span.kind != trace::SpanKind::server) continue;
    EXPECT_TRUE(span.parent_id.is_zero());
    if (span.links.empty()) continue;
    const auto linked_to = std::find_if(all.begin(), all.end(), [&](const CollectedSpan& other) {
      return other.span_id == span.links.front();
    });
    ASSERT_NE(linked_to, all.end());
    EXPECT_EQ(linked_to->kind, trace::SpanKind::client);
    EXPECT_NE(linked_to->trace_id, span.trace_id);
  }
  EXPECT_EQ(std::count_if(all.begin(), all.end(),
                          [](const CollectedSpan& span) { return !span.links.empty(); }),
            1);
}

TEST_F(TraceTest, EveryCallOfManyIsInATreeOfItsOwn) {
  client();
  constexpr int kThreads = 4;
  constexpr int kCalls = 100;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kCalls; ++i) EXPECT_TRUE(call("test/echo", "x"));
    });
  }
  for (std::thread& thread : threads) thread.join();
  server_.reset();
  const std::vector<CollectedSpan> all = spans();
  ASSERT_EQ(all.size(), 2u * kThreads * kCalls);
  std::map<std::string, const CollectedSpan*> by_id;
  for (const CollectedSpan& span : all) by_id[span.span_id.hex().str()] = &span;
  std::size_t roots = 0;
  std::size_t orphans = 0;
  for (const CollectedSpan& span : all) {
    if (span.parent_id.is_zero()) {
      ++roots;
    } else if (by_id.count(span.parent_id.hex().str()) == 0) {
      ++orphans;
    }
    EXPECT_EQ(span.flags & 0x01, 0x01);
  }
  EXPECT_EQ(roots, static_cast<std::size_t>(kThreads * kCalls));
  EXPECT_EQ(orphans, 0u);
}

// An exporter that hangs must neither slow calls down nor hold up the shutdown.
class HangingExporter final : public trace::Exporter {
 public:
  std::string_view name() const noexcept override { return "hanging"; }
  trace::ExportResult export_batch(std::span<const trace::SpanRecordView>,
                                   MonotonicTime deadline) override {
    std::unique_lock lock(mutex_);
    woken_.wait_until(lock, deadline, [] { return false; });
    return {0, Error(Errc::export_timeout)};
  }

 private:
  std::mutex mutex_;
  std::condition_variable woken_;
};

TEST_F(RpcTest, CallsGoOnUnderADeadExporter) {
  trace::ProviderOptions options;
  options.exporters.push_back(std::make_unique<HangingExporter>());
  options.export_timeout = std::chrono::milliseconds(50);
  options.schedule_delay = std::chrono::milliseconds(1);
  trace::Provider& provider = trace::init(std::move(options));
  client();
  for (int i = 0; i < 200; ++i) EXPECT_TRUE(call("test/echo", "x"));
  client_.reset();
  server_.reset();
  const trace::FlushReport report = provider.shutdown(std::chrono::milliseconds(200));
  const trace::TraceStats stats = provider.stats();
  EXPECT_EQ(stats.recorded, 400u);
  EXPECT_EQ(report.exported, 0u);
  EXPECT_EQ(report.lost.total() + report.queued, 400u) << report.to_string();
}

}  // namespace
}  // namespace spanwire::rpc
