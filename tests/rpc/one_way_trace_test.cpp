// Traces over one-way messages, and what peers that are not ours send.
#include <gtest/gtest.h>
#include <zmq.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "spanwire/base/counters.hpp"
#include "spanwire/rpc/one_way.hpp"
#include "spanwire/trace/sampler.hpp"
#include "spanwire/trace/tracer.hpp"
#include "tests/rpc/collected_spans.hpp"
#include "tests/rpc/one_way_fixture.hpp"
#include "tests/support/log_capture.hpp"

namespace spanwire::rpc {
namespace {

class OneWayTrace : public OneWayTest, public ::testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override {
    OneWayTest::SetUp();
    trace::ProviderOptions options;
    options.sampler = trace::parent_based(trace::always_on());
    options.exporters.push_back(std::make_unique<CollectingExporter>(store_));
    trace::init(std::move(options));
  }
  void TearDown() override {
    OneWayTest::TearDown();
    const trace::FlushReport report = trace::provider()->shutdown(std::chrono::seconds(30));
    EXPECT_EQ(report.open, 0u) << "a span was left open";
    EXPECT_EQ(report.lost.total(), 0u) << report.to_string();
  }
  std::vector<CollectedSpan> spans() {
    EXPECT_TRUE(trace::provider()->force_flush(std::chrono::seconds(30)).in_time);
    return store_->take();
  }

  std::shared_ptr<SpanStore> store_ = std::make_shared<SpanStore>();
};

TEST_P(OneWayTrace, EachConsumerSpanIsTheChildOfItsProducerSpan) {
  connect_pusher(listen_puller(address(GetParam())));
  constexpr int kMessages = 50;
  const trace::Span root = trace::tracer("test").start({}, "root");
  const trace::Context context = trace::Context(root.context()).with_request_id("req-1");
  for (int i = 0; i < kMessages; ++i) {
    ASSERT_TRUE(pusher().push_blocking(context, "jobs", Slice::of(std::to_string(i))));
    const Result<Message> message = puller().receive_blocking();
    ASSERT_TRUE(message);
    EXPECT_EQ(message->context().span().trace_id(), root.context().trace_id());
    EXPECT_EQ(message->context().request_id(), "req-1");
  }
  std::set<std::string> producers;
  std::vector<CollectedSpan> consumers;
  for (CollectedSpan& span : spans()) {
    if (span.kind == trace::SpanKind::producer) {
      EXPECT_EQ(span.parent_id, root.context().span_id());
      producers.insert(
          trace::Context(trace::SpanContext(span.trace_id, span.span_id, 1)).span().to_string());
    } else if (span.kind == trace::SpanKind::consumer) {
      consumers.push_back(std::move(span));
    }
  }
  EXPECT_EQ(producers.size(), std::size_t{kMessages});
  ASSERT_EQ(consumers.size(), std::size_t{kMessages});
  for (const CollectedSpan& span : consumers) {
    EXPECT_EQ(producers.count(trace::SpanContext(span.trace_id, span.parent_id, 1).to_string()),
              1u);
    EXPECT_EQ(span.name, "jobs");
    EXPECT_EQ(span.attributes.at("messaging.system"), "zeromq");
    EXPECT_EQ(span.attributes.at("messaging.destination.name"), "jobs");
  }
}

// The sender's to choose, the receiver's to keep.
TEST_P(OneWayTrace, OfALongPathOnlyTheBeginningIsKept) {
  connect_pusher(listen_puller(address(GetParam())));
  const std::string path(4000, 'p');
  const trace::Span root = trace::tracer("test").start({}, "root");
  ASSERT_TRUE(pusher().push_blocking(trace::Context(root.context()), path, Slice::copy_of("x")));
  {
    const Result<Message> message = puller().receive_blocking();
    ASSERT_TRUE(message);
    EXPECT_EQ(message->path(), path);
  }
  bool received = false;
  for (const CollectedSpan& span : spans()) {
    if (span.kind != trace::SpanKind::consumer) continue;
    received = true;
    EXPECT_EQ(span.name, path.substr(0, 256));
    EXPECT_EQ(span.attributes.at("messaging.destination.name"), path.substr(0, 256));
  }
  EXPECT_TRUE(received);
}

TEST_P(OneWayTrace, ABatchLinksToEachOfItsSenders) {
  connect_pusher(listen_puller(address(GetParam())));
  constexpr std::size_t kMessages = 20;
  for (std::size_t i = 0; i < kMessages; ++i) {
    ASSERT_TRUE(pusher().push_blocking({}, "jobs", Slice()));
  }
  std::set<std::string> batched;
  std::size_t received = 0;
  while (received < kMessages) {
    Result<MessageBatch> batch = puller().receive_batch_blocking({}, 100);
    ASSERT_TRUE(batch);
    received += batch->size();
    for (const Message& message : batch->messages()) {
      EXPECT_NE(message.context().span().trace_id(), batch->context().span().trace_id());
      batched.insert(message.context().span().to_string().substr(36, 16));
    }
  }
  EXPECT_EQ(received, kMessages);
  std::size_t links = 0;
  std::size_t producers = 0;
  for (const CollectedSpan& span : spans()) {
    producers += span.kind == trace::SpanKind::producer ? 1u : 0u;
    if (span.kind != trace::SpanKind::consumer) continue;
    links += span.links.size();
    EXPECT_EQ(span.attributes.at("messaging.batch.message_count"),
              std::to_string(span.links.size()));
  }
  EXPECT_EQ(links, kMessages);
  EXPECT_EQ(producers, kMessages);
  EXPECT_EQ(batched.size(), kMessages);
}

TEST_P(OneWayTrace, WhoIsNotTrustedIsALink) {
  OneWayOptions careful;
  careful.trust = trace::TrustRemote::link;
  connect_pusher(listen_puller(address(GetParam()), careful));
  ASSERT_TRUE(pusher().push_blocking({}, "jobs", Slice()));
  ASSERT_TRUE(puller().receive_blocking());
  std::map<trace::SpanKind, CollectedSpan> by_kind;
  for (CollectedSpan& span : spans()) by_kind[span.kind] = std::move(span);
  const CollectedSpan& consumer = by_kind[trace::SpanKind::consumer];
  EXPECT_NE(consumer.trace_id, by_kind[trace::SpanKind::producer].trace_id);
  ASSERT_EQ(consumer.links.size(), 1u);
  EXPECT_EQ(consumer.links[0], by_kind[trace::SpanKind::producer].span_id);
  EXPECT_EQ(consumer.name, "receive") << "a stranger's text does not name our spans";
}

INSTANTIATE_TEST_SUITE_P(All, OneWayTrace, ::testing::Values("tcp", "ipc", "inproc"),
                         [](const auto& tested) { return std::string(tested.param); });

// ---- Raw peers

struct RawParts {
  const char* name;
  std::vector<std::string> parts;
  const char* refused;
};

class OneWayRaw : public OneWayTest {
 protected:
  // Sends messages as any ZeroMQ program may.
  void send_raw(const std::string& at, const std::vector<std::vector<std::string>>& messages) {
    void* const context = zmq_ctx_new();
    void* const socket = zmq_socket(context, ZMQ_PUSH);
    ASSERT_EQ(zmq_connect(socket, at.substr(4).c_str()), 0);
    for (const std::vector<std::string>& parts : messages) {
      for (std::size_t i = 0; i < parts.size(); ++i) {
        const int more = i + 1 < parts.size() ? ZMQ_SNDMORE : 0;
        zmq_send(socket, parts[i].data(), parts[i].size(), more);
      }
    }
    zmq_close(socket);
    zmq_ctx_term(context);
  }
  static std::int64_t refused(const std::string& cause) {
    return counter_snapshot().value("spanwire.zmq.refused." + cause);
  }
};

TEST_F(OneWayRaw, DamagedMessagesAreCountedByNameAndCostNothingElse) {
  const testing::LogCapture log;
  OneWayOptions small;
  small.limits.payload_bytes_max = 1'000;
  const std::string at = listen_puller(address("tcp"), small);
  const std::vector<RawParts> table = {
      {"one part", {"p"}, "wrong_part_count"},
      {"two parts", {"p", "{}"}, "wrong_part_count"},
      {"four parts", {"p", "{}", "", ""}, "wrong_part_count"},
      {"many parts", std::vector<std::string>(40, "x"), "wrong_part_count"},
      {"long path", {std::string(5'000, 'p'), "{}", ""}, "path_too_long"},
      {"path not UTF-8", {"\xff", "{}", ""}, "path_not_utf8"},
      {"long headers", {"p", std::string(70'000, ' '), ""}, "headers_too_long"},
      {"long payload", {"p", "{}", std::string(1'001, 'x')}, "payload_too_long"}};
  std::map<std::string, std::int64_t> before;
  for (const RawParts& row : table) before.emplace(row.refused, refused(row.refused));
  std::map<std::string, std::int64_t> wanted = before;
  std::vector<std::vector<std::string>> messages;
  for (const RawParts& row : table) {
    messages.push_back(row.parts);
    ++wanted[row.refused];
  }
  messages.push_back({"good", "{\"tenant\":\"blue\"}", "payload"});
  messages.push_back({"", "", ""});
  messages.push_back({"bad headers", "not JSON", "kept"});
  const auto bad_headers = [] {
    return counter_snapshot().value("spanwire.zmq.bad_header_blocks");
  };
  const std::int64_t bad_before = bad_headers();
  send_raw(at, messages);
  const Result<Message> good = puller().receive_blocking();
  ASSERT_TRUE(good);
  EXPECT_EQ(good->path(), "good");
  EXPECT_EQ(good->headers().get("tenant"), "blue");
  const Result<Message> empty = puller().receive_blocking();
  ASSERT_TRUE(empty);
  EXPECT_EQ(empty->path(), "");
  EXPECT_EQ(bad_headers(), bad_before);
  EXPECT_EQ(puller().receive_blocking()->payload().text(), "kept");
  EXPECT_EQ(bad_headers(), bad_before + 1);
  for (const auto& [cause, count] : wanted) EXPECT_EQ(refused(cause), count) << cause;
  EXPECT_TRUE(log.contains(
      "a one-way message was refused error=wrong_part_count peer=127.0.0.1 parts=2 path=p"));
  EXPECT_TRUE(log.contains("error=wrong_part_count peer=127.0.0.1 parts=40 path=x"));
}

}  // namespace
}  // namespace spanwire::rpc
