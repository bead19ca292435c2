#include "spanwire/journey/misuse.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <functional>
#include <string>
#include <thread>

#include "spanwire/journey/batch.hpp"
#include "spanwire/journey/by_id.hpp"
#include "tests/journey/fixture.hpp"
#include "tests/support/fork.hpp"
#include "tests/support/log_capture.hpp"

namespace spanwire::journey {
namespace {

constexpr trace::Attribute kAttribute[] = {{"k", "v"}};

// A call that misuses the model, on a request that is under way; what it is counted as; the name of
// the span that must be exported with a mark because of it, or none.
struct Misuse {
  const char* name;
  std::function<Errc(Request&)> call;
  Errc kind;
  const char* marked;
};

Errc end_of(Request& request, const char* name, Level level = kImportant) {
  return request.slice_end(trace::Key(std::string_view(name)), {.level = level});
}

const Misuse kMisuses[] = {
    {"a handle of a request that is over",
     [](Request& request) {
       request.finish();
       return request.slice_start("late");
     },
     Errc::unknown_request, nullptr},
    {"an id that nobody started", [](Request&) { return by_id::slice_start("s", "nobody"); },
     Errc::unknown_request, nullptr},
    {"an end with nothing open", [](Request& request) { return end_of(request, "s"); },
     Errc::no_open_slice, nullptr},
    {"an end with nothing open, and a next one",
     [](Request& request) {
       const Errc result = request.slice_end("s", {.auto_next_anonymous = true});
       EXPECT_EQ(request.slice_start("another"), Errc::ok);
       EXPECT_EQ(request.context().span(), request.propagate().previous) << "nothing else is open";
       EXPECT_EQ(request.slice_end("another"), Errc::ok);
       return result;
     },
     Errc::no_open_slice, nullptr},
    {"an end with another name",
     [](Request& request) {
       request.slice_start("begun");
       return end_of(request, "other");
     },
     Errc::slice_name_mismatch, "begun"},
    {"an end with another level",
     [](Request& request) {
       request.slice_start("begun", kUsual);
       return end_of(request, "begun", kImportant);
     },
     Errc::slice_level_mismatch, "begun"},
    {"an anonymous slice in another one",
     [](Request& request) {
       request.anonymous_start();
       const Errc result = request.anonymous_start();
       EXPECT_EQ(end_of(request, "inner"), Errc::ok);
       EXPECT_EQ(end_of(request, "outer"), Errc::ok);
       return result;
     },
     Errc::anonymous_nested, "inner"},
    {"an attribute for a slice, and none is open",
     [](Request& request) { return request.set_slice(kAttribute); }, Errc::event_without_slice,
     nullptr},
    {"a finish with open slices",
     [](Request& request) {
       request.slice_start("open");
       return request.finish();
     },
     Errc::slices_left_open, "open"},
    {"a thread's end with open slices",
     [](Request& request) {
       request.slice_start("outer");
       request.slice_start("inner");
       return request.slice_end("inner", {.thread_finish = true});
     },
     Errc::slices_left_open, "outer"},
    {"a slice after the thread's end",
     [](Request& request) {
       request.slice_start("last");
       request.slice_end("last", {.thread_finish = true});
       return request.slice_start("late");
     },
     Errc::no_thread_context, nullptr},
    {"a complete slice that ends before it starts",
     [](Request& request) {
       const MonotonicTime time = JourneyTest::now();
       return request.slice(
           {.name = "backwards", .start = time + std::chrono::seconds(1), .end = time});
     },
     Errc::slice_ends_before_start, "backwards"},
    {"a finish of a copy",
     [](Request& request) {
       Request copy = attach_request(request.propagate(), "copy");
       const Errc result = copy.finish();
       copy.abort();
       return result;
     },
     Errc::finish_of_copy, nullptr},
    {"attributes for the request's span, told to a copy",
     [](Request& request) {
       Request copy = request.copy_for_thread();
       const Errc result = copy.set_root(kAttribute);
       copy.abort();
       return result;
     },
     Errc::root_of_copy, nullptr},
    {"a context from a peer that does not trace",
     [](Request&) { return by_id::set_propagate_context("x", PropagateContext()); },
     Errc::not_traced, nullptr},
};

class MisuseTest : public JourneyTest, public ::testing::WithParamInterface<bool> {};

TEST_P(MisuseTest, IsCountedByKindAndExportedWithAMark) {
  start();
  set_strict(GetParam());
  for (const Misuse& misuse : kMisuses) {
    SCOPED_TRACE(misuse.name);
    store().clear();
    Request request = start_request({.rid = "r"});
    const std::int64_t before = misuse_count(misuse.kind);
    EXPECT_EQ(misuse.call(request), GetParam() ? misuse.kind : Errc::ok);
    EXPECT_EQ(misuse_count(misuse.kind), before + 1);
    request.finish();
    EXPECT_EQ(open_spans(), 0) << "nothing is lost";
    if (misuse.marked == nullptr) continue;
    const SpanData marked = span(misuse.marked);
    EXPECT_EQ(marked.status, trace::StatusCode::error);
    EXPECT_EQ(text_of(marked, "spanwire.misuse"), name(misuse.kind));
    EXPECT_FALSE(marked.status_message.empty());
  }
}

INSTANTIATE_TEST_SUITE_P(Modes, MisuseTest, ::testing::Bool(),
                         [](const auto& mode) { return mode.param ? "Strict" : "Kind"; });

TEST_F(JourneyTest, AFloodOfOneKindDoesNotHideTheOthersInTheLog) {
  start();
  testing::LogCapture log;
  log.clock().advance(std::chrono::hours(24));
  Request request = start_request({.rid = "r"});
  for (int i = 0; i < 100; ++i) end_of(request, "nothing");
  request.set_slice(kAttribute);
  request.finish();
  EXPECT_EQ(log.count("kind=no_open_slice"), kLogLinesPerSecondMax);
  EXPECT_EQ(log.count("kind=event_without_slice"), 1u);
}

TEST_F(JourneyTest, AMismatchedEndSaysBothNames) {
  start();
  Request request = start_request({.rid = "r"});
  request.slice_start("begun");
  end_of(request, "other");
  request.finish();
  EXPECT_EQ(text_of(span("begun"), "spanwire.ended_as"), "other");
}

TEST_F(JourneyTest, AMismatchedSliceIsStillThePreviousOne) {
  start();
  Request request = start_request({.rid = "r"});
  request.slice_start("begun");
  end_of(request, "other");
  request.slice({.name = "next", .start = now(), .end = now()});
  request.finish();
  ASSERT_EQ(span("next").links.size(), 1u);
  EXPECT_EQ(span("next").links[0].context, span("begun").context);
}

TEST_F(JourneyTest, ARequestStartedTwiceClosesTheFirstTree) {
  start();
  const std::int64_t before = misuse_count(Errc::request_restarted);
  by_id::start({.rid = "twice", .role = "first"});
  by_id::slice_start("open", "twice");
  by_id::start({.rid = "twice", .role = "second"});
  EXPECT_EQ(misuse_count(Errc::request_restarted), before + 1);
  EXPECT_EQ(text_of(span("first Req twice"), "spanwire.misuse"), "request_restarted");
  EXPECT_EQ(span("open").status, trace::StatusCode::error);
  by_id::finish("twice");
  EXPECT_EQ(span("second Req twice").status, trace::StatusCode::unset);
  EXPECT_EQ(open_spans(), 0);
}

TEST_F(JourneyTest, AThreadWithoutANameIsCalledUnknown) {
  start();
  const std::int64_t before = misuse_count(Errc::thread_unregistered);
  std::thread([] {
    Request request = start_request({.rid = "r"});
    request.finish();
  }).join();
  EXPECT_EQ(misuse_count(Errc::thread_unregistered), before + 1);
  const std::vector<SpanData> all = spans();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].name.substr(0, 8), "unknown(");
}

TEST_F(JourneyTest, ARequestThatIsTakenOverByAThreadWithoutANameIsCalledUnknown) {
  start();
  Request request = start_request({.rid = "r"});
  const PropagateContext context = request.propagate();
  const std::int64_t before = misuse_count(Errc::thread_unregistered);
  std::thread([&context] {
    Request copy = attach_request(context, "r");
    copy.slice({.name = "s", .start = now(), .end = now(), .thread_finish = true});
  }).join();
  request.finish();
  EXPECT_EQ(misuse_count(Errc::thread_unregistered), before + 1);
  const std::vector<SpanData> all = spans();
  EXPECT_EQ(std::count_if(all.begin(), all.end(),
                          [](const SpanData& span) { return span.name.starts_with("unknown("); }),
            1);
}

// Whatever is still open when a request is finished ends at the time that was given.
TEST_F(JourneyTest, AFinishHasOneTimeForAll) {
  start();
  const MonotonicTime begin = now();
  Request request = start_request({.rid = "r"});
  std::thread([copy = request.copy_for_thread()]() mutable {
    set_thread_info("other");
    copy.slice_start("of a copy");
    copy.abort(now() + std::chrono::nanoseconds(7));
  }).join();
  request.slice_start("outer");
  request.slice_start("inner");
  tick();
  request.finish(begin + std::chrono::nanoseconds(42));
  for (const SpanData& span : spans()) {
    const bool of_copy = span.name == "of a copy" || span.name.starts_with("other");
    const auto took = span.end - span.start;
    EXPECT_EQ(took, std::chrono::nanoseconds(of_copy ? 7 : 42)) << span.name;
    const bool open = span.name == "outer" || span.name == "inner";
    EXPECT_EQ(text_of(span, "spanwire.misuse"), open ? "slices_left_open" : "(none)") << span.name;
  }
}

TEST_F(JourneyTest, AForgottenRequestIsEndedByTheSweep) {
  start();
  Request request = start_request({.rid = "idle"});
  Request busy = start_request({.rid = "busy"});
  request.slice_start("forgotten");
  clock().advance(std::chrono::seconds(299));
  busy.slice_start("work");
  EXPECT_EQ(sweep(), 0u);
  clock().advance(std::chrono::seconds(2));
  const std::int64_t before = misuse_count(Errc::thread_left_open);
  EXPECT_EQ(sweep(), 1u);
  EXPECT_EQ(misuse_count(Errc::thread_left_open), before + 1);
  EXPECT_EQ(text_of(span(" Req idle"), "spanwire.misuse"), "thread_left_open");
  EXPECT_EQ(span("forgotten").status, trace::StatusCode::error);
  busy.slice_end("work");
  EXPECT_EQ(busy.finish(), Errc::ok);
  EXPECT_EQ(span("work").status, trace::StatusCode::unset);
}

// What SGLang leaks: a copy whose last slice was not told to be the last.
TEST_F(JourneyTest, AForgottenPartOfAThreadIsEndedByTheSweep) {
  start();
  Request request = start_request({.rid = "r"});
  Request copy = attach_request(request.propagate(), "r");
  copy.slice({.name = "told", .start = now(), .end = now()});
  clock().advance(std::chrono::seconds(299));
  request.slice_start("work");
  clock().advance(std::chrono::seconds(2));
  EXPECT_EQ(sweep(), 1u);
  const SpanData told = span("told");
  EXPECT_EQ(told.status, trace::StatusCode::unset);
  for (const SpanData& thread : spans()) {
    if (thread.context.span_id() != told.parent_span_id) continue;
    EXPECT_EQ(thread.status, trace::StatusCode::error);
    EXPECT_EQ(text_of(thread, "spanwire.misuse"), "thread_left_open");
  }
  request.slice_end("work");
  request.finish();
}

TEST_F(JourneyTest, WithoutALongestTimeNothingIsSwept) {
  JourneyOptions options;
  options.clock = &clock();
  options.idle_max = {};
  const int wrong = testing::run_in_child([&] {
    set_options(options);
    start();
    Request request = start_request({.rid = "r"});
    clock().advance(std::chrono::hours(24));
    const bool kept = sweep() == 0 && request.slice_start("still there") == Errc::ok;
    request.slice_end("still there");
    request.finish();
    return kept && misuse_count(Errc::unknown_request) == 0 ? 0 : 1;
  });
  EXPECT_EQ(wrong, 0);
}

TEST_F(JourneyTest, AScopeEndsWhatWasLeftOpen) {
  start();
  {
    ScopedRequest done(start_request({.rid = "done"}));
    done->finish();
    const ScopedRequest forgotten(start_request({.rid = "forgotten"}));
  }
  EXPECT_EQ(span(" Req done").status, trace::StatusCode::unset);
  EXPECT_EQ(text_of(span(" Req forgotte"), "spanwire.misuse"), "thread_left_open");
  EXPECT_EQ(open_spans(), 0);
}

TEST_F(JourneyTest, AnEventWithoutASliceWaitsForOne) {
  start();
  by_id::start({.rid = "r"});
  const std::int64_t before = misuse_count(Errc::event_without_slice);
  const MonotonicTime at = now();
  by_id::event("early", "r", at, kAttribute);
  EXPECT_EQ(misuse_count(Errc::event_without_slice), before + 1);
  const std::string_view rids[] = {"r", "r"};
  by_id::event_batch("batch", rids, at);
  EXPECT_EQ(misuse_count(Errc::event_without_slice), before + 2) << "a call counts once";
  by_id::find("r").slice({.name = "late", .start = at, .end = in(5)});
  by_id::finish("r");
  ASSERT_EQ(span("late").events.size(), 3u);
  EXPECT_EQ(span("late").events[0].name, "early");
}

TEST_F(JourneyTest, AContextIsNotHadWhereThereIsNone) {
  start();
  EXPECT_EQ(by_id::propagate_context("nobody").error().code(), Errc::unknown_request);
  by_id::start({.rid = "r"});
  std::thread([] {
    set_thread_info("other");
    EXPECT_EQ(by_id::propagate_context("r").error().code(), Errc::no_thread_context);
  }).join();
  EXPECT_TRUE(by_id::propagate_context("r").has_value());
  by_id::finish("r");
}

TEST_F(JourneyTest, SlicesBeyondTheDepthAreCountedAndEndInOrder) {
  start();
  Request request = start_request({.rid = "r"});
  for (int i = 0; i < 70; ++i) request.slice_start("deep");
  const std::int64_t refused = 70 - 64;
  EXPECT_EQ(misuse_count(Errc::slices_too_deep), refused);
  for (int i = 0; i < 70; ++i) EXPECT_EQ(end_of(request, "deep"), Errc::ok);
  EXPECT_EQ(request.finish(), Errc::ok);
  EXPECT_EQ(spans().size(), 64u + 2);
}

}  // namespace
}  // namespace spanwire::journey
