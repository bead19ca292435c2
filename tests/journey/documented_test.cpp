// The examples of SGLang's documents, span by span: of each its name, its parent, what it links to,
// and its times.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "spanwire/journey/by_id.hpp"
#include "tests/journey/fixture.hpp"

namespace spanwire::journey {
namespace {

using Lines = std::vector<std::string>;

class DocumentedTest : public JourneyTest {
 protected:
  void SetUp() override {
    start();
    set_strict(true);
    begin_ = clock().wall();
  }

  // "slice B under scheduler [TP 0] after A, 100 to 200", sorted; threads without their numbers.
  Lines told() const {
    const std::vector<SpanData> all = spans();
    std::map<std::string, std::string> names;
    for (const SpanData& span : all) names[span.context.span_id().hex().str()] = short_name(span);
    Lines lines;
    for (const SpanData& span : all) {
      std::string line = short_name(span);
      if (!span.parent_span_id.is_zero()) {
        line += " under " + names.at(span.parent_span_id.hex().str());
      }
      for (const SpanData::Link& link : span.links) {
        line += " after " + names.at(link.context.span_id().hex().str());
      }
      line += ", " + since_begin(span.start) + " to " + since_begin(span.end);
      EXPECT_EQ(span.kind, trace::SpanKind::internal) << line;
      EXPECT_EQ(span.status, trace::StatusCode::unset) << line;
      EXPECT_EQ(span.scope, "sglang server") << line;
      lines.push_back(std::move(line));
    }
    std::sort(lines.begin(), lines.end());
    return lines;
  }

 private:
  static std::string short_name(const SpanData& span) {
    std::string name = span.name.substr(0, span.name.find("(host:"));
    while (name.ends_with(' ')) name.pop_back();
    return name;
  }
  std::string since_begin(WallTime time) const { return std::to_string((time - begin_).count()); }

  WallTime begin_{};
};

TEST_F(DocumentedTest, ASlice) {
  by_id::start({.rid = "req-123"});
  tick();
  by_id::slice_start("A", "req-123");
  tick();
  by_id::slice_end("A", "req-123");
  tick();
  by_id::finish("req-123");
  EXPECT_EQ(told(), (Lines{" Req req-123, 0 to 300", "A under tokenizer, 100 to 200",
                           "tokenizer under  Req req-123, 0 to 300"}));
}

TEST_F(DocumentedTest, AnAnonymousSliceHasTheTimeOfItsStart) {
  by_id::start({.rid = "req-123"});
  tick();
  by_id::anonymous_start("req-123");
  tick();
  by_id::slice_end("A", "req-123");
  by_id::finish("req-123");
  EXPECT_EQ(told(), (Lines{" Req req-123, 0 to 200", "A under tokenizer, 100 to 200",
                           "tokenizer under  Req req-123, 0 to 200"}));
}

TEST_F(DocumentedTest, AnonymousSlicesFollowEachOther) {
  by_id::start({.rid = "req-123"});
  by_id::anonymous_start("req-123");
  const SliceEnd next{.auto_next_anonymous = true};
  for (const char* name : {"A", "B", "C"}) {
    tick();
    by_id::slice_end(std::string_view(name), "req-123", next);
  }
  tick();
  by_id::slice_end("D", "req-123", {.thread_finish = true});
  tick();
  by_id::finish("req-123");
  EXPECT_EQ(
      told(),
      (Lines{" Req req-123, 0 to 500", "A under tokenizer, 0 to 100",
             "B under tokenizer after A, 100 to 200", "C under tokenizer after B, 200 to 300",
             "D under tokenizer after C, 300 to 400", "tokenizer under  Req req-123, 0 to 400"}));
}

TEST_F(DocumentedTest, OnlyTheOuterSliceLinks) {
  Request request = start_request({.rid = "req-123"});
  request.slice_start("before");
  request.slice_end("before");
  request.slice_start("outer");
  tick();
  request.slice_start("inner");
  tick();
  request.slice_end("inner");
  request.slice_end("outer");
  request.finish();
  EXPECT_EQ(told(), (Lines{" Req req-123, 0 to 200", "before under tokenizer, 0 to 0",
                           "inner under outer, 100 to 200",
                           "outer under tokenizer after before, "
                           "0 to 200",
                           "tokenizer under  Req req-123, 0 to 200"}));
}

// What a rank does with a request that came with its context.
void prefill(int rank, const PropagateContext& context) {
  set_thread_info("scheduler", {.tp = rank});
  EXPECT_EQ(by_id::set_propagate_context("req-123", context), Errc::ok);
  EXPECT_EQ(by_id::slice_start("prefill", "req-123"), Errc::ok);
  JourneyTest::clock().advance(std::chrono::nanoseconds(100));
  EXPECT_EQ(by_id::slice_end("prefill", "req-123", {.thread_finish = true}), Errc::ok);
}

// The threads of one process share the request, and yet each of them follows the sender's slice.
TEST_F(DocumentedTest, RanksFollowTheSlicesOfTheSender) {
  by_id::start({.rid = "req-123"});
  by_id::slice_start("tokenize", "req-123");
  tick();
  by_id::slice_end("tokenize", "req-123");
  by_id::slice_start("dispatch", "req-123");
  const PropagateContext context = *by_id::propagate_context("req-123");
  std::thread([&] { prefill(0, context); }).join();
  std::thread([&] { prefill(1, context); }).join();
  by_id::slice_end("dispatch", "req-123");
  by_id::finish("req-123");
  EXPECT_EQ(told(), (Lines{" Req req-123, 0 to 300",
                           "dispatch under tokenizer after tokenize, "
                           "100 to 300",
                           "prefill under scheduler [TP 0] after dispatch, "
                           "100 to 200",
                           "prefill under scheduler [TP 1] after dispatch, "
                           "200 to 300",
                           "scheduler [TP 0] under  Req req-123, 100 to 200",
                           "scheduler [TP 1] under  Req req-123, 200 to 300",
                           "tokenize under tokenizer, 0 to 100",
                           "tokenizer under  Req req-123, 0 to 300"}));
}

// As its tokenizer does it: the thread's part ends with the dispatch, the request goes on.
TEST_F(DocumentedTest, TheRequestGoesOnWhereTheThreadsPartEnded) {
  Request request = start_request({.rid = "req-123"});
  request.slice_start("api_server_dispatch", kUsual);
  tick();
  request.slice_end("api_server_dispatch", {.level = kUsual, .thread_finish = true});
  Request scheduler = attach_request(request.propagate(), "req-123");
  scheduler.slice({.name = "prefill", .start = now(), .end = in(50), .thread_finish = true});
  Request worker = request.copy_for_thread();
  worker.slice({.name = "send", .start = now(), .end = in(60), .thread_finish = true});
  request.rebuild_thread_context();
  request.slice({.name = "stream", .start = now(), .end = in(70)});
  request.finish(in(80));
  EXPECT_EQ(
      told(),
      (Lines{" Req req-123, 0 to 180", "api_server_dispatch under tokenizer, 0 to 100",
             "prefill under tokenizer after api_server_dispatch, 100 to 150",
             "send under tokenizer after api_server_dispatch, 100 to 160",
             "stream under tokenizer after api_server_dispatch, 100 to 170",
             "tokenizer under  Req req-123, 0 to 100", "tokenizer under  Req req-123, 100 to 150",
             "tokenizer under  Req req-123, 100 to 160",
             "tokenizer under  Req req-123, 100 to 180"}));
}

}  // namespace
}  // namespace spanwire::journey
