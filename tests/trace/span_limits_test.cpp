#include <gtest/gtest.h>

#include <array>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "spanwire/trace/sampler.hpp"
#include "spanwire/trace/span.hpp"
#include "tests/trace/provider_fixture.hpp"

namespace spanwire::trace {
namespace {

using SpanLimitsTest = ProviderTest;

OwnedValue value(const SpanData& span, std::string_view key) {
  const OwnedValue* found = span.attribute(key);
  return found != nullptr ? *found : OwnedValue(std::string("(absent)"));
}

TEST_F(SpanLimitsTest, LimitsCountWhatTheyKeepOut) {
  ProviderOptions limited = options();
  limited.limits = {.attributes_max = 2,
                    .events_max = 1,
                    .links_max = 1,
                    .event_attributes_max = 1,
                    .link_attributes_max = 0,
                    .value_chars_max = 3};
  init(std::move(limited));
  Random random(1);
  const SpanContext other(TraceId::generate(random), SpanId::generate(random), 1, false);
  const Attribute attributes[] = {{"x", 1}, {"y", 2}};
  const std::vector<std::string> texts = {"abcdef", "ab"};
  Span span = tracer().start({}, "limited");
  span.set("a",
           "gr\xC3\xBC\xC3\x9F"
           "e")
      .set("b", texts)
      .set("c", 3)
      .set("", 4)
      .set("a", "wxyz");
  span.add_event("one", attributes).add_event("two");
  span.add_link({other, {}, attributes}).add_link({other, {}, {}});
  span.set_status(StatusCode::error, "longer");
  span.end();
  const SpanData data = only_span();
  EXPECT_EQ(value(data, "a"), OwnedValue(std::string("wxy")));
  EXPECT_EQ(value(data, "b"), OwnedValue(std::vector<std::string>{"abc", "ab"}));
  EXPECT_EQ(data.dropped_attributes, 2u);
  ASSERT_EQ(data.events.size(), 1u);
  EXPECT_EQ(data.events[0].attributes, (OwnedAttributes{{"x", std::int64_t{1}}}));
  EXPECT_EQ(data.events[0].dropped_attributes, 1u);
  EXPECT_EQ(data.dropped_events, 1u);
  ASSERT_EQ(data.links.size(), 1u);
  EXPECT_EQ(data.links[0].dropped_attributes, 2u);
  EXPECT_EQ(data.dropped_links, 1u);
  EXPECT_EQ(data.status_message, "lon");
}

// Characters are counted, not bytes, and none is cut in two.
TEST_F(SpanLimitsTest, ValuesAreCutBetweenCharacters) {
  ProviderOptions limited = options();
  limited.limits.value_chars_max = 4;
  init(std::move(limited));
  Span span = tracer().start({}, "cut");
  span.set("a",
           "gr\xC3\xBC\xC3\x9F"
           "e")
      .set("b", "\xC3\xBC\xC3\xBC\xC3\xBC\xC3\xBC");
  span.end();
  const SpanData data = only_span();
  EXPECT_EQ(value(data, "a"), OwnedValue(std::string("gr\xC3\xBC\xC3\x9F")));
  EXPECT_EQ(value(data, "b"), OwnedValue(std::string("\xC3\xBC\xC3\xBC\xC3\xBC\xC3\xBC")));
}

TEST_F(SpanLimitsTest, TheDefaultLimitIs128OfEach) {
  start();
  Span span = tracer().start({}, "many");
  for (int i = 0; i < 200; ++i) {
    span.set("key " + std::to_string(i), i).add_event("event " + std::to_string(i));
  }
  span.end();
  const SpanData data = only_span();
  EXPECT_EQ(data.attributes.size(), 128u);
  EXPECT_EQ(data.dropped_attributes, 72u);
  EXPECT_EQ(data.events.size(), 128u);
  EXPECT_EQ(data.dropped_events, 72u);
  EXPECT_EQ(value(data, "key 127"), OwnedValue(std::int64_t{127}));
}

// Beyond the arena and the record's limit, attributes go; the span stays.
TEST_F(SpanLimitsTest, WhatDoesNotFitIsDroppedAndCounted) {
  ProviderOptions small = options();
  small.arena_bytes_max = 40'000;
  init(std::move(small));
  Span span = tracer().start({}, std::string(10'000, 'n'));
  span.set("fits", std::string(5000, 'a')).set("too large", std::string(20'000, 'b'));
  Span other = tracer().start({}, std::string(60'000, 'm'));
  span.set("last", 1).end();
  other.end();
  const std::vector<SpanData> all = spans();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].name, std::string(10'000, 'n'));
  EXPECT_EQ(all[0].dropped_attributes, 1u);
  EXPECT_EQ(value(all[0], "last"), OwnedValue(std::int64_t{1}));
  EXPECT_EQ(all[1].name, std::string(128, 'm'));
  expect_all_accounted(stats());
}

}  // namespace
}  // namespace spanwire::trace
