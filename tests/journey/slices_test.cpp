// The state machine of the facts: what SGLang documents of slices, threads, levels and hand-over.
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "spanwire/journey/batch.hpp"
#include "spanwire/journey/by_id.hpp"
#include "spanwire/trace/carrier.hpp"
#include "tests/journey/fixture.hpp"

namespace spanwire::journey {
namespace {

using SlicesTest = JourneyTest;

const trace::SpanContext* only_link(const SpanData& span) {
  return span.links.size() == 1 ? &span.links[0].context : nullptr;
}

TEST_F(SlicesTest, AnonymousSlicesTileWithoutAGap) {
  start();
  by_id::start({.rid = "r"});
  const WallTime begin = clock().wall();
  by_id::anonymous_start("r");
  const SliceEnd next{.auto_next_anonymous = true};
  for (const char* name : {"A", "B", "C"}) {
    tick();
    by_id::slice_end(std::string_view(name), "r", next);
  }
  tick();
  by_id::slice_end("D", "r", {.thread_finish = true});
  by_id::finish("r");
  const SpanData a = span("A"), b = span("B"), c = span("C"), d = span("D");
  EXPECT_EQ(a.start, begin);
  EXPECT_EQ(b.start, a.end);
  EXPECT_EQ(c.start, b.end);
  EXPECT_EQ(d.start, c.end);
  EXPECT_TRUE(a.links.empty());
  EXPECT_EQ(*only_link(b), a.context);
  EXPECT_EQ(*only_link(c), b.context);
  EXPECT_EQ(*only_link(d), c.context);
  EXPECT_EQ(spans().size(), 6u) << "no slice is left over";
}

TEST_F(SlicesTest, ThreadFinishWinsOverTheNextAnonymousSlice) {
  start();
  Request request = start_request({.rid = "r"});
  request.anonymous_start();
  tick();
  const WallTime end = clock().wall();
  EXPECT_EQ(request.slice_end("A", {.auto_next_anonymous = true, .thread_finish = true}), Errc::ok);
  tick();
  request.finish();
  ASSERT_EQ(spans().size(), 3u);
  EXPECT_EQ(spans()[1].end, end) << "the thread ends with its last slice";
}

TEST_F(SlicesTest, ARequestGoesOnInAnotherThread) {
  start();
  by_id::start({.rid = "r"});
  by_id::slice_start("tokenize", "r");
  by_id::slice_end("tokenize", "r");
  const PropagateContext context = *by_id::propagate_context("r");
  std::thread([&context] {
    set_thread_info("scheduler", {.tp = 1, .dp = 2});
    by_id::set_propagate_context("r", context);
    by_id::slice_start("prefill", "r");
    by_id::slice_end("prefill", "r", {.thread_finish = true});
  }).join();
  by_id::finish("r");
  const SpanData prefill = span("prefill");
  const SpanData root = span(" Req r");
  std::vector<SpanData> threads;
  for (SpanData& data : spans()) {
    if (data.parent_span_id == root.context.span_id()) threads.push_back(data);
  }
  ASSERT_EQ(threads.size(), 2u);
  EXPECT_EQ(prefill.parent_span_id, threads[0].context.span_id());
  EXPECT_EQ(threads[0].name.substr(0, 26), "scheduler [TP 1]  [DP 2] (");
  EXPECT_EQ(std::get<std::int64_t>(*threads[0].attribute("tp_rank")), 1);
  EXPECT_EQ(std::get<std::int64_t>(*threads[0].attribute("dp_rank")), 2);
  EXPECT_EQ(threads[0].attribute("pp_rank"), nullptr);
}

// A copy in this process has the form that one in another process has.
TEST_F(SlicesTest, ACopyLinksToThePreviousSliceAndEndsWithItsLastThread) {
  start();
  Request owner = start_request({.rid = "r"});
  owner.slice_start("dispatch");
  const PropagateContext context = owner.propagate();
  EXPECT_TRUE(context.previous.valid());
  Request copy = attach_request(context, "r");
  copy.slice_start("prefill");
  EXPECT_EQ(copy.slice_end("prefill", {.thread_finish = true}), Errc::ok);
  owner.slice_end("dispatch");
  owner.finish();
  EXPECT_EQ(*only_link(span("prefill")), span("dispatch").context);
  EXPECT_EQ(open_spans(), 0);
}

// Told after the fact: a thread's span is never shorter than what it did.
TEST_F(SlicesTest, AThreadsSpanBeginsWithItsFirstSlice) {
  start();
  Request request = start_request({.rid = "r"});
  std::vector<Request> copies = {request.copy_for_thread(), request.copy_for_thread()};
  const MonotonicTime begin = now();
  tick();
  std::thread([&copies, begin] {
    set_thread_info("rank");
    copies[0].slice({.name = "alone", .start = begin, .end = now(), .thread_finish = true});
    const Slice slices[] = {{.name = "batch", .start = begin, .end = now()}};
    slice_batch(std::span(&copies[1], 1), slices);
    copies[1].abort();
  }).join();
  request.finish();
  const SpanData alone = span("alone");
  const SpanData batch = span("batch");
  int threads = 0;
  for (const SpanData& thread : spans()) {
    if (thread.context.span_id() == alone.parent_span_id ||
        thread.context.span_id() == batch.parent_span_id) {
      EXPECT_EQ(thread.start, alone.start);
      ++threads;
    }
  }
  EXPECT_EQ(threads, 2);
}

TEST_F(SlicesTest, CopyForThreadHasAContextOfItsOwn) {
  start();
  Request request = start_request({.rid = "r"});
  request.slice({.name = "first", .start = now(), .end = now()});
  Request copy = request.copy_for_thread();
  std::thread([copy]() mutable {
    set_thread_info("mooncake");
    copy.rebuild_thread_context();
    copy.slice({.name = "send", .start = now(), .end = in(3), .thread_finish = true});
  }).join();
  request.slice({.name = "second", .start = now(), .end = now()});
  request.finish();
  EXPECT_EQ(*only_link(span("send")), span("first").context);
  EXPECT_EQ(*only_link(span("second")), span("first").context) << "the copy has its own chain";
  EXPECT_EQ(spans().size(), 6u);
}

TEST_F(SlicesTest, EventsGoToTheSliceOfTheirTime) {
  start();
  Request request = start_request({.rid = "r"});
  const MonotonicTime t0 = now();
  const auto at = [t0](std::int64_t ns) { return t0 + std::chrono::nanoseconds(ns); };
  request.event("before", kImportant, at(5));
  request.event("at start", kImportant, at(10));
  request.event("inside", kImportant, at(15));
  request.event("at end", kImportant, at(20));
  request.slice({.name = "inner", .start = at(10), .end = at(20)});
  request.slice({.name = "next", .start = at(20), .end = at(30)});
  request.abort(at(40));
  request.finish(at(50));
  const auto names = [](const SpanData& span) {
    std::vector<std::string> all;
    for (const auto& event : span.events) all.push_back(event.name);
    return all;
  };
  EXPECT_EQ(names(span("inner")), (std::vector<std::string>{"at start", "inside"}));
  EXPECT_EQ(names(span("next")), (std::vector<std::string>{"at end"}));
  EXPECT_EQ(names(spans()[2]), (std::vector<std::string>{"before"})) << "the thread has the rest";
}

TEST_F(SlicesTest, AttributesGoWhereTheyBelong) {
  start();
  Request request = start_request({.rid = "r", .bootstrap_room = 255, .module = "request"});
  const trace::Attribute slice[] = {{"slice", std::string_view("copied")}};
  const trace::Attribute thread[] = {{"thread", 1}};
  const trace::Attribute root[] = {{"root", 2.5}, {"rid", "overwritten"}};
  request.slice_start("s");
  request.set_slice(slice);
  request.set_thread(thread);
  request.set_root(root);
  request.slice_end("s");
  request.finish();
  EXPECT_EQ(text_of(span("s"), "slice"), "copied");
  EXPECT_NE(spans()[1].attribute("thread"), nullptr);
  const SpanData data = span(" Req r");
  EXPECT_EQ(text_of(data, "rid"), "overwritten") << "of equal keys the last";
  EXPECT_EQ(text_of(data, "module"), "sglang::request");
  EXPECT_EQ(text_of(data, "bootstrap_room"), "0xff");
}

TEST_F(SlicesTest, AbortMarksTheThreadAndLeavesTheRootAlone) {
  start();
  Request request = start_request({.rid = "r"});
  request.slice_start("open");
  tick();
  const WallTime at = clock().wall();
  const trace::Attribute why[] = {{"reason", "client left"}};
  request.abort({}, why);
  tick();
  request.finish();
  EXPECT_EQ(span("open").end, at);
  EXPECT_EQ(span("open").status, trace::StatusCode::unset);
  const SpanData thread = spans()[1];
  EXPECT_EQ(thread.status, trace::StatusCode::error);
  EXPECT_EQ(text_of(thread, "reason"), "client left");
  EXPECT_EQ(span(" Req r").status, trace::StatusCode::unset);
  EXPECT_GT(span(" Req r").end, at);
}

// ---- Levels and modules

TEST_F(SlicesTest, LevelsFilterSlicesAndEvents) {
  for (Level level = 1; level <= kEverything; ++level) {
    store().clear();
    start();
    set_trace_level(level);
    Request request = start_request({.rid = "r"});
    for (Level of_slice = 0; of_slice <= kEverything; ++of_slice) {
      request.slice_start("s", of_slice);
      request.slice_end("s", of_slice);
    }
    request.finish();
    EXPECT_EQ(spans().size(), 2u + 1 + level);
    shutdown();
  }
}

TEST_F(SlicesTest, TheLevelChangesForRunningRequests) {
  start();
  Request request = start_request({.rid = "r"});
  Request own = start_request({.rid = "own"});
  own.set_level(kEverything);
  set_trace_level(kImportant);
  request.slice_start("hidden", kEverything);
  own.slice_start("own", kEverything);
  set_trace_level(kEverything);
  request.slice_start("inner", kEverything);
  request.slice_end("inner", kEverything);
  request.slice_end("hidden", kEverything);
  set_trace_level(kOff);
  request.slice({.name = "off", .start = now(), .end = now()});
  own.slice_end("own", kEverything);
  set_trace_level(kUsual);
  request.slice({.name = "on", .level = kUsual, .start = now(), .end = now()});
  request.finish();
  own.finish();
  EXPECT_EQ(span("inner").parent_span_id, span("on").parent_span_id) << "under the thread";
  EXPECT_EQ(*only_link(span("on")), span("inner").context);
  EXPECT_EQ(span("own").links.size(), 0u);
  EXPECT_EQ(spans().size(), 7u);
}

TEST_F(SlicesTest, ModulesChangeForRunningRequests) {
  start();
  ASSERT_TRUE(set_trace_modules(std::string_view("mooncake, hicache")).has_value());
  Request named = start_request({.rid = "named", .module = "request"});
  Request unnamed = start_request({.rid = "unnamed"});
  named.slice({.name = "filtered", .start = now(), .end = now()});
  unnamed.slice({.name = "never filtered", .start = now(), .end = now()});
  EXPECT_FALSE(named.propagate()) << "passed on as it came in: from nobody";
  ASSERT_TRUE(set_trace_modules(std::string_view("request")).has_value());
  named.slice({.name = "now", .start = now(), .end = now()});
  named.finish();
  unnamed.finish();
  EXPECT_EQ(span("now").parent_span_id, spans()[2].context.span_id());
  EXPECT_EQ(spans().size(), 6u);
  EXPECT_EQ(open_spans(), 0);
}

// ---- What comes from outside, and a relay

trace::Context external() {
  const std::vector<std::pair<std::string, std::string>> headers = {
      {"traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
      {"tracestate", "vendor=x"}};
  return trace::extract(headers).context();
}

TEST_F(SlicesTest, TheExternalHeaderIsTheParent) {
  start();
  const trace::Context parent = external();
  Request request = start_request({.rid = "r", .parent = &parent});
  request.slice({.name = "s", .start = now(), .end = now()});
  request.finish();
  const SpanData root = span(" Req r");
  EXPECT_EQ(root.context.trace_id(), parent.span().trace_id());
  EXPECT_EQ(root.parent_span_id, parent.span().span_id());
  EXPECT_TRUE(root.parent_remote);
  EXPECT_EQ(root.tracestate, "vendor=x");
  EXPECT_EQ(span("s").tracestate, "vendor=x");
}

TEST_F(SlicesTest, ARelayThatDoesNotTraceForwardsWhatCameIn) {
  const trace::Context parent = external();
  const trace::SpanContext previous = parent.span();
  Request copy = attach_request({parent, previous}, "r");
  EXPECT_FALSE(copy.recording());
  copy.slice_start("ignored");
  PropagateContext on = copy.propagate();
  EXPECT_EQ(on.request.span(), parent.span());
  EXPECT_EQ(on.request.tracestate(), "vendor=x");
  EXPECT_EQ(on.previous, previous);
  copy.slice_end("ignored", {.thread_finish = true});

  by_id::set_propagate_context("relay", {parent, previous});
  on = *by_id::propagate_context("relay");
  EXPECT_EQ(on.request.span(), parent.span());
  EXPECT_EQ(on.previous, previous);
  by_id::slice_end("ignored", "relay", {.thread_finish = true});
  EXPECT_FALSE(by_id::propagate_context("relay").has_value()) << "gone with its last thread";

  Request owner = start_request({.rid = "r", .parent = &parent});
  EXPECT_EQ(owner.propagate().request.span(), parent.span());
  owner.finish();
}

TEST_F(SlicesTest, ARelayGoesWithTheLastOfItsThreads) {
  const PropagateContext came{external(), {}};
  by_id::set_propagate_context("r", came);
  std::thread([&came] {
    by_id::set_propagate_context("r", came);
    by_id::slice_end("ignored", "r", {.thread_finish = true});
  }).join();
  ASSERT_TRUE(by_id::propagate_context("r").has_value());
  EXPECT_EQ(by_id::propagate_context("r")->request.span(), came.request.span());
  by_id::slice_end("ignored", "r", {.thread_finish = true});
  EXPECT_FALSE(by_id::propagate_context("r").has_value());
}

TEST_F(SlicesTest, AnUnsampledRequestIsPassedOnAsSuch) {
  start();
  const trace::Context parent(
      trace::SpanContext(external().span().trace_id(), external().span().span_id(), 2, true));
  Request request = start_request({.rid = "r", .parent = &parent});
  EXPECT_FALSE(request.recording());
  request.slice_start("s");
  request.slice_end("s");
  const PropagateContext on = request.propagate();
  EXPECT_EQ(on.request.span().trace_id(), parent.span().trace_id());
  EXPECT_EQ(on.request.span().flags(), 2);
  Request copy = attach_request(on);
  EXPECT_FALSE(copy.recording());
  copy.abort();
  request.finish();
  EXPECT_TRUE(spans().empty());
}

TEST_F(SlicesTest, TheContextForCallsIsTheInnermostSlice) {
  start();
  Request request = start_request({.rid = "r"});
  request.slice_start("outer");
  request.slice_start("inner");
  const trace::SpanContext inside = request.context().span();
  request.slice_end("inner");
  request.slice_end("outer");
  const trace::SpanContext outside = request.context().span();
  request.finish();
  EXPECT_EQ(inside, span("inner").context);
  EXPECT_EQ(outside, spans()[2].context);
}

TEST_F(SlicesTest, TheNullObjectDoesNothing) {
  start();
  Request null;
  EXPECT_EQ(null.slice_start("s"), Errc::ok);
  EXPECT_EQ(null.slice_end("s", {.thread_finish = true}), Errc::ok);
  EXPECT_EQ(null.finish(), Errc::ok);
  EXPECT_FALSE(null.propagate());
  EXPECT_FALSE(null.copy_for_thread().recording());
  EXPECT_TRUE(spans().empty());
}

}  // namespace
}  // namespace spanwire::journey
