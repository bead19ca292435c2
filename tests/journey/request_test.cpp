#include "spanwire/journey/request.hpp"

#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "spanwire/base/random.hpp"
#include "spanwire/journey/by_id.hpp"
#include "spanwire/journey/misuse.hpp"
#include "tests/journey/fixture.hpp"

namespace spanwire::journey {
namespace {

using RequestTest = JourneyTest;

std::string thread_name(const std::string& label, const std::string& ranks = "") {
  return label + ranks + "(host:" + host_id().substr(0, 8) +
         " | pid:" + std::to_string(syscall(SYS_gettid)) + ")";
}

TEST_F(RequestTest, MakesATreeOfRequestThreadAndSlice) {
  start();
  const MonotonicTime begin = now();
  Request request = start_request({.rid = "worker0_0123456789abcdef", .role = "decode"});
  tick();
  request.slice_start("prefill_forward");
  tick();
  request.slice_end("prefill_forward");
  tick();
  const trace::Attribute model[] = {{"gen_ai.request.model", "m"}};
  EXPECT_EQ(request.finish({}, model), Errc::ok);

  ASSERT_EQ(spans().size(), 3u);
  const SpanData root = span("decode Req 01234567");
  const SpanData thread = span(thread_name("tokenizer"));
  const SpanData slice = span("prefill_forward");
  EXPECT_TRUE(root.parent_span_id.is_zero());
  EXPECT_EQ(thread.parent_span_id, root.context.span_id());
  EXPECT_EQ(slice.parent_span_id, thread.context.span_id());
  EXPECT_EQ(slice.context.trace_id(), root.context.trace_id());
  EXPECT_EQ(text_of(root, "rid"), "0123456789abcdef");
  EXPECT_EQ(text_of(root, "module"), "sglang::");
  EXPECT_EQ(text_of(root, "gen_ai.request.model"), "m");
  EXPECT_EQ(text_of(thread, "host_id"), host_id());
  EXPECT_EQ(text_of(thread, "thread_label"), "tokenizer");
  EXPECT_EQ(std::get<std::int64_t>(*thread.attribute("pid")), syscall(SYS_gettid));
  EXPECT_EQ(root.scope, "sglang server");
  EXPECT_EQ(slice.end - slice.start, std::chrono::nanoseconds(100));
  EXPECT_EQ(root.end - root.start, now() - begin);
  EXPECT_EQ(thread.end, root.end);
  EXPECT_EQ(open_spans(), 0);
}

TEST_F(RequestTest, LinksEachFirstLevelSliceToTheOneBefore) {
  start();
  Request request = start_request({.rid = "r"});
  request.slice_start("outer");
  request.slice_start("inner");
  request.slice_end("inner");
  request.slice_end("outer");
  request.slice({.name = "next", .start = now(), .end = in(5)});
  request.finish();
  const SpanData outer = span("outer");
  EXPECT_TRUE(outer.links.empty());
  EXPECT_TRUE(span("inner").links.empty());
  EXPECT_EQ(span("inner").parent_span_id, outer.context.span_id());
  ASSERT_EQ(span("next").links.size(), 1u);
  EXPECT_EQ(span("next").links[0].context, outer.context);
}

TEST_F(RequestTest, ASliceWithoutTimesIsNow) {
  start();
  Request request = start_request({.rid = "r"});
  tick();
  const WallTime at = clock().wall();
  request.slice({.name = "untimed"});
  request.slice({.name = "ends now", .start = now() - std::chrono::nanoseconds(30)});
  request.slice({.name = "one moment", .end = now()});
  request.slice({.name = "last", .thread_finish = true});
  request.finish();
  for (const char* name : {"untimed", "one moment", "last"}) {
    EXPECT_EQ(span(name).start, at) << name;
    EXPECT_EQ(span(name).end, at) << name;
  }
  EXPECT_EQ(span("ends now").end, at);
  EXPECT_EQ(span("ends now").start, at - std::chrono::nanoseconds(30));
  EXPECT_EQ(span("ends now").status, trace::StatusCode::unset);
}

trace::Context unsampled_caller() {
  return trace::Context(trace::SpanContext(trace::TraceId::generate(Random::of_thread()),
                                           trace::SpanId::generate(Random::of_thread()), 0, true));
}

// Keeps what it is asked about, and wants all of it.
class Asked final : public trace::Sampler {
 public:
  explicit Asked(std::vector<std::string>& names) : names_(names) {}
  trace::SamplingResult sample(const trace::SamplingInput& input) const noexcept override {
    names_.emplace_back(input.name);
    trace::SamplingResult result;
    result.decision = trace::Decision::record_and_sample;
    return result;
  }
  std::string describe() const override { return "Asked"; }

 private:
  std::vector<std::string>& names_;
};

TEST_F(RequestTest, ASamplerThatLooksAtNamesIsToldThatOfAnUnsampledCallersRequest) {
  std::vector<std::string> names;
  trace::ProviderOptions asking = options();
  asking.sampler = std::make_shared<Asked>(names);
  trace::init(std::move(asking));
  const trace::Context caller = unsampled_caller();
  Request request =
      start_request({.rid = "0123456789abcdef", .role = "prefill", .parent = &caller});
  EXPECT_TRUE(request.recording());
  request.finish();
  EXPECT_EQ(names, std::vector<std::string>{"prefill Req 01234567"});
  EXPECT_EQ(span("prefill Req 01234567").parent_span_id, caller.span().span_id());
}

// The place of the one is the other's: nothing of a name that was not made is left over.
TEST_F(RequestTest, ARecordedRequestAfterAnUnsampledOneHasItsOwnName) {
  start();
  const trace::Context caller = unsampled_caller();
  Request unsampled = start_request({.rid = "aaaaaaaaaa", .role = "decode", .parent = &caller});
  EXPECT_FALSE(unsampled.recording());
  EXPECT_EQ(unsampled.propagate().request.span().trace_id(), caller.span().trace_id());
  EXPECT_FALSE(unsampled.propagate().request.span().sampled());
  unsampled.finish();
  Request recorded = start_request({.rid = "bbbbbbbbbb", .role = "prefill"});
  recorded.finish();
  EXPECT_EQ(text_of(span("prefill Req bbbbbbbb"), "rid"), "bbbbbbbbbb");
}

// Once something was passed on, the calls by id look whether anything lives; if not they are those
// of a process that does not trace: an id that nobody knows is no misuse.
TEST_F(RequestTest, WithoutTracingAnUnknownIdIsNoMisuseOnceNothingLives) {
  const trace::Context caller(trace::SpanContext(trace::TraceId::generate(Random::of_thread()),
                                                 trace::SpanId::generate(Random::of_thread()),
                                                 trace::kFlagSampled, true));
  const std::int64_t before = misuse_count(Errc::unknown_request);
  EXPECT_EQ(by_id::start({.rid = "passed on", .parent = &caller}), Errc::ok);
  EXPECT_EQ(by_id::propagate_context("passed on")->request.span(), caller.span());
  by_id::slice_start("s", "nobody's");
  EXPECT_EQ(misuse_count(Errc::unknown_request), before + 1) << "while something lives";
  by_id::finish("passed on");
  by_id::slice_start("s", "nobody's");
  EXPECT_EQ(misuse_count(Errc::unknown_request), before + 1);
  EXPECT_FALSE(by_id::find("passed on").recording());
}

}  // namespace
}  // namespace spanwire::journey
