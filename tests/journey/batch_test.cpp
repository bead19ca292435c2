#include "spanwire/journey/batch.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "lib/journey/registry.hpp"
#include "spanwire/base/random.hpp"
#include "tests/journey/fixture.hpp"

namespace spanwire::journey {
namespace {

using BatchTest = JourneyTest;

std::vector<Request> requests_of(std::size_t count) {
  std::vector<Request> requests;
  for (std::size_t i = 0; i < count; ++i) {
    requests.push_back(start_request({.rid = std::to_string(i)}));
  }
  return requests;
}

void finish(std::vector<Request>& requests) {
  for (Request& request : requests) request.finish();
}

// What can be compared of a span: all but its ids, with the name of what it links to.
struct Seen {
  std::string name;
  std::string parent;
  std::string link;
  WallTime start;
  WallTime end;
  trace::OwnedAttributes attributes;
  friend bool operator==(const Seen& a, const Seen& b) {
    return a.name == b.name && a.parent == b.parent && a.link == b.link && a.start == b.start &&
           a.end == b.end && a.attributes == b.attributes;
  }
};

std::vector<Seen> seen(const std::vector<SpanData>& spans) {
  std::map<std::string, std::string> names;
  for (const SpanData& span : spans) names[span.context.span_id().hex().str()] = span.name;
  std::vector<Seen> all;
  for (const SpanData& span : spans) {
    Seen one{span.name,      names[span.parent_span_id.hex().str()], "", span.start, span.end,
             span.attributes};
    for (const auto& link : span.links) one.link += names[link.context.span_id().hex().str()];
    EXPECT_LE(span.links.size(), 1u);
    all.push_back(std::move(one));
  }
  std::stable_sort(all.begin(), all.end(), [](const Seen& a, const Seen& b) {
    return std::tie(a.name, a.link, a.parent) < std::tie(b.name, b.link, b.parent);
  });
  return all;
}

// The batch call makes what the calls for each request make.
TEST_F(BatchTest, IsTheSameAsOneByOne) {
  const trace::Attribute attributes[] = {{"decode_ct", 7}, {"text", std::string_view("shared")}};
  const MonotonicTime t = now();
  const auto at = [t](std::int64_t ns) { return t + std::chrono::nanoseconds(ns); };
  const Slice slices[] = {
      {.name = "prepare", .start = at(0), .end = at(10)},
      {.name = "decode_loop", .level = 3, .start = at(10), .end = at(20), .attributes = attributes},
      {.name = std::string_view("no literal"), .start = at(20), .end = at(30)}};
  std::vector<std::vector<Seen>> both;
  for (const bool batch : {true, false}) {
    store().clear();
    start();
    std::vector<Request> requests = requests_of(300);
    // Some need a closer look: an open slice, an event that waits, another level, a tracestate.
    requests[1].slice_start("outer");
    requests[2].event("waits", kImportant, at(5));
    requests[3].set_level(kUsual);
    requests[4].finish();
    requests[4] = Request();
    if (batch) {
      EXPECT_EQ(slice_batch(requests, slices), Errc::ok);
    } else {
      for (Request& request : requests) {
        for (const Slice& slice : slices) request.slice(slice);
      }
    }
    requests[1].slice_end("outer");
    finish(requests);
    EXPECT_EQ(open_spans(), 0);
    both.push_back(seen(spans()));
    shutdown();
  }
  EXPECT_EQ(both[0].size(), both[1].size());
  EXPECT_TRUE(both[0] == both[1]);
}

TEST_F(BatchTest, FillsInTheTimes) {
  start();
  std::vector<Request> requests = requests_of(2);
  const WallTime begin = clock().wall();
  const Slice slices[] = {{.name = "a", .end = in(10)}, {.name = "b", .end = in(30)}};
  slice_batch(requests, slices);
  finish(requests);
  for (const SpanData& data : spans()) {
    if (data.parent_span_id.is_zero() || data.links.size() + (data.name == "a") != 1) continue;
    EXPECT_EQ(data.start, data.name == "a" ? begin : begin + std::chrono::nanoseconds(10));
  }
}

TEST_F(BatchTest, EndsTheOpenSliceOfEachAndBeginsTheNext) {
  start();
  std::vector<Request> requests = requests_of(3);
  std::vector<BatchMember> members;
  for (Request& request : requests) {
    request.anonymous_start();
    members.push_back({&request, false});
    tick();
  }
  EXPECT_EQ(slice_end_batch("prefill_forward", members), Errc::ok);
  tick();
  members[2].finished = true;
  EXPECT_EQ(slice_end_batch("decode_forward", members), Errc::ok);
  for (Request& request : requests) request.abort();
  finish(requests);
  std::vector<SpanData> prefill, decode;
  for (const SpanData& data : spans()) {
    if (data.name == "prefill_forward") prefill.push_back(data);
    if (data.name == "decode_forward") decode.push_back(data);
  }
  ASSERT_EQ(prefill.size(), 3u);
  ASSERT_EQ(decode.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(prefill[i].end - prefill[i].start, std::chrono::nanoseconds(300 - 100 * i));
    EXPECT_EQ(decode[i].start, prefill[i].end);
    ASSERT_EQ(decode[i].links.size(), 1u);
    EXPECT_EQ(decode[i].links[0].context, prefill[i].context);
  }
  EXPECT_EQ(open_spans(), 0);
}

TEST_F(BatchTest, EventsCarryTheBatch) {
  start();
  std::vector<Request> requests = requests_of(3);
  const trace::Attribute own[] = {{"k", "v"}};
  const Slice slice{.name = "s", .start = now(), .end = in(100)};
  event_batch("schedule", requests, kEverything, in(1), own);
  for (Request& request : requests) request.slice(slice);
  finish(requests);
  std::string bid;
  for (const SpanData& data : spans()) {
    if (data.name != "s") continue;
    ASSERT_EQ(data.events.size(), 1u);
    const trace::OwnedAttributes& attributes = data.events[0].attributes;
    ASSERT_EQ(attributes.size(), 3u);
    EXPECT_EQ(attributes[0].first, "bid");
    const std::string here = std::get<std::string>(attributes[0].second);
    EXPECT_EQ(here.size(), 8u);
    EXPECT_TRUE(bid.empty() || bid == here) << "one number for the batch";
    bid = here;
    EXPECT_EQ(attributes[1].first, "batch_size");
    EXPECT_EQ(std::get<std::int64_t>(attributes[1].second), 3);
    EXPECT_EQ(attributes[2].first, "k");
  }
  EXPECT_FALSE(bid.empty());
}

TEST_F(BatchTest, ASpanLinksToEveryRequest) {
  start();
  std::vector<Request> requests = requests_of(1500);
  const trace::Attribute shared[] = {{"tokens", 1500}};
  const Slice step{.name = "decode_step", .start = now(), .end = in(9), .attributes = shared};
  const trace::SpanContext context = batch_span(step, requests);
  finish(requests);
  const SpanData data = span("decode_step");
  EXPECT_EQ(data.context, context);
  EXPECT_TRUE(data.parent_span_id.is_zero());
  ASSERT_EQ(data.links.size(), 1500u);
  EXPECT_EQ(data.dropped_links, 0u);
  EXPECT_EQ(std::get<std::int64_t>(*data.attribute("batch_size")), 1500);
  EXPECT_EQ(std::get<std::int64_t>(*data.attribute("tokens")), 1500);
  EXPECT_EQ(text_of(data, "thread_label"), "tokenizer");
  std::size_t found = 0;
  for (const SpanData& other : spans()) {
    if (other.name.substr(0, 5) != " Req ") continue;
    const std::size_t index = std::stoul(other.name.substr(5));
    EXPECT_EQ(data.links[index].context, other.context);
    ++found;
  }
  EXPECT_EQ(found, 1500u);
}

TEST_F(BatchTest, CountsLinksBeyondTheLimit) {
  trace::ProviderOptions limited = options();
  limited.limits.batch_links_max = 10;
  trace::init(std::move(limited));
  std::vector<Request> requests = requests_of(12);
  batch_span({.name = "step", .start = now(), .end = now()}, requests);
  finish(requests);
  EXPECT_EQ(span("step").links.size(), 10u);
  EXPECT_EQ(span("step").dropped_links, 2u);
}

TEST_F(BatchTest, WithoutRecordedRequestsThereIsNone) {
  start();
  const trace::Context unsampled(trace::SpanContext(trace::TraceId::generate(Random::of_thread()),
                                                    trace::SpanId::generate(Random::of_thread()), 0,
                                                    true));
  std::vector<Request> requests;
  requests.push_back(start_request({.rid = "r", .parent = &unsampled}));
  EXPECT_FALSE(batch_span({.name = "step"}, requests).valid());
  const Slice slices[] = {{.name = "s"}};
  EXPECT_EQ(slice_batch(requests, slices), Errc::ok);
  finish(requests);
  EXPECT_TRUE(spans().empty());
}

// Off: nothing is kept, so that a batch finds nothing to look at.  A request that is only passed on
// is kept, and a batch has nothing to record of it.
TEST_F(BatchTest, WithoutTracingThereIsNothingToLoopOver) {
  Request request = start_request({.rid = "r"});
  EXPECT_FALSE(request.propagate());
  EXPECT_TRUE(nothing_lives());
  const trace::Context caller(trace::SpanContext(trace::TraceId::generate(Random::of_thread()),
                                                 trace::SpanId::generate(Random::of_thread()),
                                                 trace::kFlagSampled, true));
  Request passed_on = start_request({.rid = "p", .parent = &caller});
  EXPECT_EQ(passed_on.propagate().request.span(), caller.span());
  EXPECT_FALSE(nothing_lives());
  EXPECT_EQ(recorded_requests.load(), 0);
  passed_on.finish();
  EXPECT_TRUE(nothing_lives());
  start();
  Request recorded = start_request({.rid = "q"});
  EXPECT_EQ(recorded_requests.load(), 1);
  recorded.finish();
  EXPECT_EQ(recorded_requests.load(), 0);
}

TEST_F(BatchTest, AMemberThatIsNobodyIsPassedOver) {
  start();
  Request request = start_request({.rid = "r"});
  request.anonymous_start();
  const BatchMember members[] = {{}, {&request, true}};
  EXPECT_EQ(slice_end_batch("s", members), Errc::ok);
  request.finish();
  EXPECT_EQ(span("s").status, trace::StatusCode::unset);
}

// A ring that is too small loses rows by number, never silently.
TEST_F(BatchTest, CountsWhatDoesNotFitIntoTheRing) {
  trace::ProviderOptions small = options();
  small.ring_bytes_per_thread = 64u << 10;
  trace::init(std::move(small));
  std::vector<Request> requests = requests_of(200);
  const Slice slices[] = {{.name = "a", .start = now(), .end = now()},
                          {.name = "b", .start = now(), .end = now()}};
  for (int i = 0; i < 50; ++i) slice_batch(requests, slices);
  finish(requests);
  const trace::FlushReport report = shutdown();
  const trace::TraceStats stats = trace::Provider().stats();
  EXPECT_EQ(stats.recorded, 50u * 400 + 400);
  EXPECT_EQ(stats.exported + stats.lost.total(), stats.recorded);
  EXPECT_GT(stats.lost[trace::LossReason::ring_full], 0u);
  EXPECT_EQ(report.open, 0u);
  EXPECT_EQ(store().size(), stats.exported);
}

}  // namespace
}  // namespace spanwire::journey
