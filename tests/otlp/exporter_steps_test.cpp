// While a batch is under way, the next one is encoded.
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "tests/otlp/exporter_fixture.hpp"
#include "tests/support/fork.hpp"

namespace spanwire::otlp {
namespace {

using testing::FaultSink;

// While it is under way the next one is ready; one request at a time all the same, in order.
TEST_F(ExporterTest, TheBatchUnderWayIsRepeatedBeforeTheNextIsSent) {
  FaultSink sink("[{\"status\": 503}, {}, {\"status\": 503}, {}]");
  start(to(sink.endpoint()), 2);
  flush();
  for (const char* name : {"a", "b", "c", "d", "e"}) record(1, name);
  EXPECT_TRUE(flush().complete());
  std::vector<std::vector<std::string>> sent;
  for (const FaultSink::Request& request : sink.rest()) sent.push_back(request.spans);
  EXPECT_EQ(sent, (std::vector<std::vector<std::string>>{
                      {"a", "b"}, {"a", "b"}, {"c", "d"}, {"c", "d"}, {"e"}}));
}

// What is ready is not sent at a size that the receiver has just refused.
TEST_F(ExporterTest, TheBatchUnderWayIsSplitAndTheNextToo) {
  for (const Compression compression : {Compression::none, Compression::gzip}) {
    FaultSink sink("[{\"spans_max\": 3, \"status\": 413}]");
    OtlpOptions options = to(sink.endpoint());
    options.compression = compression;
    start(std::move(options), 4);
    flush();
    std::vector<std::string> names;
    for (char c = 'a'; c <= 'l'; ++c) names.emplace_back(1, c);
    for (const std::string& name : names) record(1, name);
    EXPECT_TRUE(flush().complete());
    trace::provider()->shutdown(kEnough);
    std::vector<std::string> taken;
    std::size_t refused = 0;
    for (const FaultSink::Request& request : sink.rest()) {
      if (request.spans.size() > 3) {
        ++refused;
      } else {
        taken.insert(taken.end(), request.spans.begin(), request.spans.end());
      }
    }
    EXPECT_EQ(refused, 1u);
    EXPECT_EQ(taken, names);
  }
}

TEST_F(ExporterTest, AForkLeavesWhatIsUnderWayToTheParent) {
  FaultSink sink("[{\"after\": 0.2}, {}]");
  start(to(sink.endpoint()), 2);
  record(5, "of the parent");
  std::thread flushing([] { flush(); });
  while (counted("spanwire.otlp.requests_sent") == sent_before_) std::this_thread::yield();
  const int code = ::spanwire::testing::run_in_child([] {
    record(1, "of the child");
    return trace::provider()->shutdown(kEnough).complete() ? 0 : 1;
  });
  EXPECT_EQ(code, 0);
  flushing.join();
  EXPECT_TRUE(flush().in_time);
  EXPECT_EQ(trace::provider()->stats().exported, 5u);
  std::size_t of_parent = 0;
  std::size_t of_child = 0;
  for (const FaultSink::Request& request : sink.rest()) {
    for (const std::string& name : request.spans) ++(name == "of the child" ? of_child : of_parent);
  }
  EXPECT_EQ(of_parent, 5u);
  EXPECT_EQ(of_child, 1u);
}

}  // namespace
}  // namespace spanwire::otlp
