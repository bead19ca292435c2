#include "spanwire/trace/context.hpp"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <thread>
#include <vector>

#include "spanwire/base/pool.hpp"
#include "spanwire/trace/baggage.hpp"
#include "spanwire/trace/context_counters.hpp"
#include "spanwire/trace/traceparent.hpp"

namespace spanwire::trace {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

SpanContext span_of(std::uint64_t seed, const TraceId* trace_id = nullptr) {
  Random random(seed);
  const TraceId own = TraceId::generate(random);
  return {trace_id != nullptr ? *trace_id : own, SpanId::generate(random), kFlagSampled};
}

// Every block of a test is gone at its end.
class ContextTest : public ::testing::Test {
 protected:
  void TearDown() override { EXPECT_EQ(pool_live(), live_before_); }

 private:
  std::int64_t live_before_ = pool_live();
};

TEST_F(ContextTest, IsSmallAndStartsEmpty) {
  EXPECT_LE(sizeof(Context), 64u);
  const Context context;
  EXPECT_FALSE(context.span().valid());
  EXPECT_FALSE(context.has_deadline());
  EXPECT_FALSE(context.cancelled());
  EXPECT_EQ(context.cancel_reason(), Errc::ok);
  EXPECT_EQ(context.tracestate(), "");
  EXPECT_EQ(context.block(), nullptr);
}

TEST_F(ContextTest, NeedsNoBlockForSpanAndDeadline) {
  const ManualClock clock;
  const Context context = Context().with_span(span_of(1)).with_timeout(seconds(1), clock);
  EXPECT_EQ(context.block(), nullptr);
  EXPECT_EQ(context.deadline(), clock.monotonic() + seconds(1));
}

TEST_F(ContextTest, CopiesShareOneBlock) {
  const Context first = Context().with_baggage("k", "v");
  {
    const Context second = first;
    EXPECT_EQ(second.block(), first.block());
    EXPECT_FALSE(first.block()->unique());
  }
  EXPECT_TRUE(first.block()->unique());
}

TEST_F(ContextTest, BuildersLeaveTheOriginalAlone) {
  const Context original = Context().with_baggage("k", "v");
  const Context changed =
      original.with_baggage("k", "w").with_request_id("r").with_x_request_id("x");
  EXPECT_EQ(original.baggage(), "k=v");
  EXPECT_EQ(original.request_id(), "");
  EXPECT_EQ(changed.baggage(), "k=w");
  EXPECT_EQ(changed.request_id(), "r");
  EXPECT_EQ(changed.x_request_id(), "x");
}

TEST_F(ContextTest, AssignsAndMoves) {
  Context context = Context().with_baggage("k", "v");
  context = context.with_baggage("j", "w");
  Context moved = std::move(context);
  EXPECT_EQ(moved.baggage(), "k=v,j=w");
  Context& same = moved;
  moved = same;
  EXPECT_EQ(moved.baggage(), "k=v,j=w");
}

TEST_F(ContextTest, DeadlinesOnlyShrink) {
  ManualClock clock;
  const Context context = Context().with_timeout(milliseconds(100), clock);
  EXPECT_EQ(context.with_timeout(seconds(1), clock).deadline(), context.deadline());
  EXPECT_LT(context.with_timeout(milliseconds(10), clock).deadline(), context.deadline());
  EXPECT_EQ(context.with_deadline({}).deadline(), context.deadline());
  EXPECT_FALSE(context.expired(clock.monotonic()));
  clock.advance(milliseconds(100));
  EXPECT_TRUE(context.expired(clock.monotonic()));
  EXPECT_FALSE(Context().expired(clock.monotonic()));
}

TEST_F(ContextTest, AHugeTimeoutDoesNotWrapAround) {
  EXPECT_EQ(Context().with_timeout(std::chrono::nanoseconds::max()).deadline(),
            MonotonicTime::max());
}

TEST_F(ContextTest, TracestateStaysWithItsTrace) {
  const SpanContext span = span_of(1);
  const Context context = Context().with_span(span, "a=1").with_request_id("r");
  EXPECT_EQ(context.tracestate(), "a=1");
  EXPECT_EQ(context.with_span(span_of(2, &span.trace_id())).tracestate(), "a=1");
  const Context other = context.with_span(span_of(3));
  EXPECT_EQ(other.tracestate(), "");
  EXPECT_EQ(other.request_id(), "r");
  EXPECT_EQ(context.with_span(span, "b=2").tracestate(), "b=2");
  EXPECT_EQ(context.with_span(span, "").tracestate(), "");
}

TEST_F(ContextTest, RefusesBadBaggageAndCountsIt) {
  const std::uint64_t before = refused(Errc::baggage_malformed);
  const Context context = Context().with_baggage("a b", "v");
  EXPECT_EQ(context.baggage(), "");
  EXPECT_EQ(refused(Errc::baggage_malformed), before + 1);
  EXPECT_EQ(Context().with_baggage("k", "a,b").baggage(), "k=a%2Cb");
  EXPECT_EQ(Context().with_baggage("k", "v").with_baggage_text("").baggage(), "");
  EXPECT_EQ(Context().with_baggage_text(" k=v , junk").baggage(), "k=v");
  EXPECT_EQ(refused(Errc::baggage_malformed), before + 2);
}

TEST_F(ContextTest, RefusesBadRequestIdsAndCountsThem) {
  const std::uint64_t before = refused(Errc::request_id_invalid);
  EXPECT_EQ(Context().with_request_id("a\nb").request_id(), "");
  EXPECT_EQ(Context().with_x_request_id("\xFF").x_request_id(), "");
  EXPECT_EQ(Context().with_x_request_id(std::string(1025, 'x')).x_request_id(), "");
  EXPECT_EQ(refused(Errc::request_id_invalid), before + 3);
}

// ---- Cancellation

TEST_F(ContextTest, IsCancelledWithItsReason) {
  const Cancellation cancellation = Cancellation::make();
  const Context context = Context().with_cancellation(cancellation);
  const Context further = context.with_baggage("k", "v").with_span(span_of(1));
  EXPECT_FALSE(further.cancelled());
  cancellation.cancel(Errc::deadline_exceeded);
  EXPECT_TRUE(context.cancelled());
  EXPECT_TRUE(further.cancelled());
  EXPECT_EQ(further.cancel_reason(), Errc::deadline_exceeded);
}

TEST_F(ContextTest, EitherOfTwoCancellationsCancels) {
  for (const bool outer_first : {true, false}) {
    const Cancellation outer = Cancellation::make();
    const Cancellation inner = Cancellation::make();
    const Context context = Context().with_cancellation(outer);
    const Context narrower = context.with_cancellation(inner);
    (outer_first ? outer : inner).cancel(Errc::connection_lost);
    EXPECT_EQ(context.cancelled(), outer_first);
    EXPECT_TRUE(narrower.cancelled());
    (outer_first ? inner : outer).cancel(Errc::cancelled);
    EXPECT_EQ(narrower.cancel_reason(), Errc::connection_lost);
  }
}

TEST_F(ContextTest, ACancelledPartCancelsTheWholeAtOnce) {
  const Cancellation gone = Cancellation::make();
  gone.cancel(Errc::draining);
  const Context context = Context().with_cancellation(Cancellation::make()).with_cancellation(gone);
  EXPECT_EQ(context.cancel_reason(), Errc::draining);
}

TEST_F(ContextTest, KeepsItsCancellationAlive) {
  Context context;
  {
    const Cancellation cancellation = Cancellation::make();
    context = Context().with_cancellation(cancellation);
  }
  EXPECT_FALSE(context.cancelled());
  context.cancellation()->cancel(Errc::cancelled);
  EXPECT_TRUE(context.cancelled());
}

TEST_F(ContextTest, AnEmptyCancellationChangesNothing) {
  const Cancellation cancellation = Cancellation::make();
  const Context context = Context().with_cancellation(cancellation);
  EXPECT_EQ(context.with_cancellation(Cancellation()).block(), context.block());
  EXPECT_EQ(context.with_cancellation(cancellation).block(), context.block());
}

TEST_F(ContextTest, WorkThatOutlivesTheCallKeepsTextsOnly) {
  const ManualClock clock;
  const Cancellation cancellation = Cancellation::make();
  const Context call = Context()
                           .with_span(span_of(1), "a=1")
                           .with_baggage("k", "v")
                           .with_timeout(seconds(1), clock)
                           .with_cancellation(cancellation);
  const Context detached = call.without_cancellation();
  cancellation.cancel();
  EXPECT_FALSE(detached.cancelled());
  EXPECT_FALSE(detached.has_deadline());
  EXPECT_EQ(detached.span(), call.span());
  EXPECT_EQ(detached.tracestate(), "a=1");
  EXPECT_EQ(detached.baggage(), "k=v");
}

// Cancelling on one thread while the last contexts go away on others: nothing is freed twice.
TEST_F(ContextTest, MayBeDroppedWhileItIsCancelled) {
  for (int round = 0; round < 200; ++round) {
    const Cancellation outer = Cancellation::make();
    const Cancellation inner = Cancellation::make();
    Context context = Context().with_cancellation(outer).with_cancellation(inner);
    std::thread canceller([&outer] { outer.cancel(Errc::cancelled); });
    std::thread other([copy = context]() mutable { copy = Context(); });
    context = Context();
    canceller.join();
    other.join();
  }
}

// ---- A request's own object as the block

class Request final : public ContextBlock, public Pooled {
 public:
  Request(std::string header, int& freed) : header_(std::move(header)), freed_(freed) {
    ContextTexts texts;
    texts.tracestate = header_;
    set_texts(texts);
    cancel_with(this);
  }
  ~Request() override { ++freed_; }

 private:
  std::string header_;
  int& freed_;
};

TEST_F(ContextTest, LivesInARequestsOwnObject) {
  int freed = 0;
  auto* request = new Request("vendor=1", freed);
  const std::int64_t live = pool_live();
  Context context = Context::over(*request, span_of(1));
  const Context copy = context;
  EXPECT_EQ(pool_live(), live);
  EXPECT_EQ(copy.tracestate(), "vendor=1");
  request->cancel(Errc::cancelled);
  EXPECT_TRUE(copy.cancelled());
  request->release();
  context = Context();
  EXPECT_EQ(freed, 0);
  EXPECT_EQ(copy.tracestate(), "vendor=1");
  context = copy.with_request_id("r");  // keeps the cancellation, which is the request
  EXPECT_TRUE(context.cancelled());
  context = copy.without_cancellation();
  EXPECT_EQ(context.tracestate(), "vendor=1");
  const Context last = std::move(const_cast<Context&>(copy));
  EXPECT_EQ(freed, 0);
}

TEST_F(ContextTest, ARequestIsFreedWithItsLastContext) {
  int freed = 0;
  {
    auto* request = new Request("vendor=1", freed);
    const Context context = Context::over(*request, span_of(1)).with_baggage("k", "v");
    request->release();
    EXPECT_EQ(freed, 0);  // still what may cancel the context
    const Context detached = context.without_cancellation();
  }
  EXPECT_EQ(freed, 1);
}

TEST_F(ContextTest, CopiesMayBeUsedFromManyThreads) {
  const Context context = Context().with_baggage("k", "v");
  std::vector<std::thread> threads;
  std::array<bool, 4> good{};
  for (std::size_t i = 0; i < good.size(); ++i) {
    threads.emplace_back([&context, &good, i] {
      bool same = true;
      for (int n = 0; n < 1000; ++n) {
        const Context copy = context;
        same = same && copy.with_request_id("r").baggage() == "k=v";
      }
      good[i] = same;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, (std::array<bool, 4>{true, true, true, true}));
  EXPECT_TRUE(context.block()->unique());
}

}  // namespace
}  // namespace spanwire::trace
