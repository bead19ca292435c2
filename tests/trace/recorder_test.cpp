#include "spanwire/trace/recorder.hpp"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "lib/trace/plain_span.hpp"
#include "spanwire/trace/sampler.hpp"
#include "tests/trace/provider_fixture.hpp"

namespace spanwire::trace {
namespace {

using RecorderTest = ProviderTest;

MonotonicTime at(std::int64_t ns) { return MonotonicTime(std::chrono::nanoseconds(ns)); }

// A whole span under a new root, with `change` made to it.
template <class Change>
SpanContext write(const Tracer& tracer, const Change& change) {
  const Decided decided = decide(tracer, Context(), "whole");
  decided.recorder.open_decided();
  WholeSpan span;
  span.context = decided.context;
  span.name = "whole";
  span.start = at(100);
  span.end = at(300);
  change(span);
  decided.recorder.write(span);
  return decided.context;
}

TEST_F(RecorderTest, WithoutAProviderTheParentIsPassedOn) {
  Random random(1);
  const SpanContext above(TraceId::generate(random), SpanId::generate(random), 3, true);
  const Decided decided = decide(tracer(), Context(above), "off");
  EXPECT_FALSE(decided.recorder.recording());
  EXPECT_EQ(decided.context, above);
}

TEST_F(RecorderTest, WritesWhatItIsGiven) {
  start();
  Random random(1);
  const SpanContext other(TraceId::generate(random), SpanId::generate(random), 1);
  const Attribute attributes[] = {{"text", "value"}, {"number", 7}, {"real", 0.5}, {"bool", true}};
  const Attribute more[] = {{std::string_view("no literal"), 1}};
  const std::span<const Attribute> lists[] = {attributes, more};
  const Link links[] = {{other, "a=b", {}}};
  const WholeEvent events[] = {{"event", at(150), more}};
  write(tracer(), [&](WholeSpan& span) {
    span.attributes = lists;
    span.links = links;
    span.events = events;
    span.tracestate = "x=y";
    span.status = StatusCode::error;
    span.status_message = "why";
  });
  const SpanData span = only_span();
  EXPECT_EQ(span.attributes.size(), 5u);
  EXPECT_EQ(std::get<bool>(*span.attribute("bool")), true);
  EXPECT_EQ(std::get<std::int64_t>(*span.attribute("no literal")), 1);
  ASSERT_EQ(span.links.size(), 1u);
  EXPECT_EQ(span.links[0].context, other);
  EXPECT_EQ(span.links[0].tracestate, "a=b");
  ASSERT_EQ(span.events.size(), 1u);
  EXPECT_EQ(span.events[0].attributes.size(), 1u);
  EXPECT_EQ(span.tracestate, "x=y");
  EXPECT_EQ(span.status_message, "why");
  EXPECT_EQ(span.end - span.start, std::chrono::nanoseconds(200));
}

// What the short way cannot do takes the long one, with the same rules as an open span.
TEST_F(RecorderTest, KeepsTheLimits) {
  ProviderOptions limited = options();
  limited.limits.attributes_max = 3;
  limited.limits.events_max = 1;
  limited.limits.links_max = 1;
  limited.limits.value_chars_max = 4;
  init(std::move(limited));
  Random random(1);
  const Link link{SpanContext(TraceId::generate(random), SpanId::generate(random), 1), {}, {}};
  const Link links[] = {link, link};
  const Attribute attributes[] = {
      {"a", "longer text"}, {"b", 1}, {"a", "last"}, {"", 1}, {"c", 1}, {"d", 1}};
  const std::span<const Attribute> lists[] = {attributes};
  const WholeEvent events[] = {{"one", at(1), {}}, {"two", at(2), {}}};
  write(tracer(), [&](WholeSpan& span) {
    span.attributes = lists;
    span.links = links;
    span.events = events;
  });
  const SpanData span = only_span();
  EXPECT_EQ(span.attributes.size(), 3u);
  EXPECT_EQ(std::get<std::string>(*span.attribute("a")), "last");
  EXPECT_EQ(span.dropped_attributes, 2u);
  EXPECT_EQ(span.dropped_links, 1u);
  EXPECT_EQ(span.dropped_events, 1u);
}

TEST_F(RecorderTest, GrowsBeyondTheShortWay) {
  start();
  const std::string text(20'000, 'x');
  const Attribute attributes[] = {{"text", text}};
  const std::span<const Attribute> lists[] = {attributes};
  write(tracer(), [&](WholeSpan& span) { span.attributes = lists; });
  EXPECT_EQ(std::get<std::string>(*only_span().attribute("text")), text);
}

// Of equal keys the last counts, wherever they stand and however they were written.
TEST_F(RecorderTest, OfEqualKeysTheLastCounts) {
  const std::string_view copied = "a";
  const Attribute few[] = {{"a", 1}, {"b", "text"}, {"a", 2}};
  const Attribute mixed[] = {{"a", 1}, {copied, 2}};
  const Attribute many[] = {{"a", 1}, {"b", 1}, {"c", 1}, {"d", 1}, {"e", 1}, {"a", "2"}, {"a", 2}};
  const Attribute one[] = {{"a", 1}};
  const Attribute another[] = {{"b", 1}, {"a", 2}};
  using Lists = std::vector<std::span<const Attribute>>;
  struct Case {
    const char* name;
    Lists lists;
    std::size_t kept;
  };
  const Case cases[] = {{"few", {few}, 2},
                        {"a literal and a copy", {mixed}, 1},
                        {"many", {many}, 5},
                        {"two lists", {one, another}, 2},
                        {"an empty list between", {one, {}, another}, 2}};
  start();
  for (const Case& of : cases) {
    SCOPED_TRACE(of.name);
    store().clear();
    write(tracer(), [&](WholeSpan& span) { span.attributes = of.lists; });
    const SpanData span = only_span();
    ASSERT_EQ(span.attributes.size(), of.kept);
    ASSERT_NE(span.attribute("a"), nullptr);
    EXPECT_EQ(std::get<std::int64_t>(*span.attribute("a")), 2);
    EXPECT_EQ(span.dropped_attributes, 0u);
  }
}

SpanId write_plain(const Decided& decided, Key key, std::span<const Attribute> attributes,
                   SpanId parent = {}, SpanId previous = {}) {
  SpanId id;
  const bool written = detail::PlainWriter::try_write(
      decided.recorder, {decided.context, parent, previous, key, at(100), at(300), attributes}, id);
  EXPECT_EQ(written, !id.is_zero());
  return id;
}

// A plain span is the whole one that says the same.
TEST_F(RecorderTest, APlainSpanIsAWholeOne) {
  const std::string middle(300, 'm');
  const Attribute usual[] = {{"text", "value"}, {"number", 7}, {"real", 0.5}};
  const Attribute odd[] = {{"a", 1}, {std::string_view("b"), true}, {"a", 2}};
  const Attribute twice[] = {{"a", 1}, {"b", 2}, {"a", 3}};
  const Attribute four[] = {{"a", 1}, {"b", 2}, {"c", 3}, {"b", 4}};
  const Attribute many[] = {{"a", 1}, {"b", 2}, {"c", 3}, {"d", 4}, {"e", 5}, {"a", 6}};
  const Attribute longer[] = {{"a", 1}, {"text", middle}, {"a", 2}, {"c", false}};
  struct Case {
    const char* name;
    Key key;
    std::span<const Attribute> attributes;
    std::size_t kept;
    bool follows;
  };
  const Case cases[] = {{"usual", "plain", usual, 3, true},
                        {"the first of its thread", "plain", usual, 3, false},
                        {"nothing", "plain", {}, 0, false},
                        {"equal keys, no literal", "plain", odd, 2, true},
                        {"equal keys", "plain", twice, 2, true},
                        {"equal keys of four", "plain", four, 3, false},
                        {"equal keys of many", "plain", many, 5, true},
                        {"a text that is not short", "plain", longer, 3, true},
                        {"a copied name", std::string_view("copied"), usual, 3, true}};
  start();
  Random random(1);
  const Decided decided = decide(tracer(), Context(), "root");
  for (const Case& of : cases) {
    SCOPED_TRACE(of.name);
    store().clear();
    const SpanId parent = SpanId::generate(random);
    const SpanId previous = of.follows ? SpanId::generate(random) : SpanId();
    const SpanId id = write_plain(decided, of.key, of.attributes, parent, previous);
    ASSERT_FALSE(id.is_zero());
    const SpanData span = only_span();
    EXPECT_EQ(span.context, SpanContext(decided.context.trace_id(), id, decided.context.flags()));
    EXPECT_EQ(span.parent_span_id, parent);
    EXPECT_EQ(span.name, of.key.view());
    EXPECT_EQ(span.kind, SpanKind::internal);
    EXPECT_EQ(span.status, StatusCode::unset);
    EXPECT_EQ(span.end - span.start, std::chrono::nanoseconds(200));
    EXPECT_EQ(span.attributes.size(), of.kept);
    EXPECT_TRUE(span.events.empty());
    ASSERT_EQ(span.links.size(), of.follows ? 1u : 0u);
    if (of.follows) {
      EXPECT_EQ(span.links[0].context.span_id(), previous);
    }
  }
  expect_all_accounted(stats());
}

// What has to be looked at more closely is refused, and nothing is counted.
TEST_F(RecorderTest, APlainSpanFitsOrIsRefused) {
  const std::string text(20'000, 'x');
  const std::string name(300, 'n');
  const Attribute large[] = {{"text", text}};
  start();
  const Decided decided = decide(tracer(), Context(), "root");
  EXPECT_TRUE(write_plain(decided, "plain", large).is_zero());
  EXPECT_TRUE(write_plain(decided, std::string_view(name), {}).is_zero());
  EXPECT_FALSE(write_plain(decided, "plain", {}).is_zero());
  EXPECT_EQ(stats().recorded, 1u);
  EXPECT_EQ(stats().ended, 1u);
}

TEST_F(RecorderTest, APlainSpanKeepsTheLimits) {
  struct Case {
    const char* name;
    void (*limit)(ProviderOptions& options);
  };
  const Case cases[] = {
      {"attributes", [](ProviderOptions& options) { options.limits.attributes_max = 1; }},
      {"links", [](ProviderOptions& options) { options.limits.links_max = 0; }},
      {"characters", [](ProviderOptions& options) { options.limits.value_chars_max = 4; }},
      {"bytes", [](ProviderOptions& options) { options.limits.bytes_max = 1024; }},
      {"queue", [](ProviderOptions& options) { options.queue_spans_max = 1; }}};
  const Attribute attributes[] = {{"a", 1}, {"b", "value"}};
  for (const Case& of : cases) {
    SCOPED_TRACE(of.name);
    ProviderOptions limited = options();
    of.limit(limited);
    init(std::move(limited));
    const Decided decided = decide(tracer(), Context(), "root");
    EXPECT_TRUE(write_plain(decided, "plain", attributes, {}, decided.context.span_id()).is_zero());
    EXPECT_EQ(stats().recorded, 0u);
    shutdown();
  }
}

// Within a trace a link is kept as an id; what it says is the same.
TEST_F(RecorderTest, LinksSayWhatTheyWereGiven) {
  start();
  Random random(1);
  const SpanId id = SpanId::generate(random);
  const Attribute attributes[] = {{"why", "because"}};
  write(tracer(), [&](WholeSpan& span) {
    const SpanContext own = span.context.child(id, true);
    const SpanContext remote(own.trace_id(), id, own.flags(), true);
    const SpanContext other(TraceId::generate(random), id, own.flags());
    const SpanContext unsampled = own.with_sampled(false);
    const Link links[] = {{own, {}, {}},       {remote, {}, {}}, {other, {}, {}},
                          {unsampled, {}, {}}, {own, "a=b", {}}, {own, {}, attributes}};
    span.links = links;
    const Recorder recorder = decide(tracer(), Context(), "with links").recorder;
    recorder.open_decided();
    recorder.write(span);
    const SpanData written = spans().front();
    ASSERT_EQ(written.links.size(), std::size(links));
    for (std::size_t i = 0; i < std::size(links); ++i) {
      EXPECT_EQ(written.links[i].context, links[i].context) << i;
      EXPECT_EQ(written.links[i].tracestate, links[i].tracestate) << i;
      EXPECT_EQ(written.links[i].attributes.size(), links[i].attributes.size()) << i;
    }
    span.links = {links, 4};  // the short way
    recorder.open_decided();
    recorder.write(span);
    const SpanData shorter = spans().back();
    ASSERT_EQ(shorter.links.size(), 4u);
    for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(shorter.links[i].context, links[i].context) << i;
    span.links = {};
  });
}

TEST_F(RecorderTest, AnEndBeforeTheStartCountsAsTheStart) {
  start();
  write(tracer(), [](WholeSpan& span) { span.end = at(50); });
  EXPECT_EQ(only_span().start, only_span().end);
}

TEST_F(RecorderTest, WhatIsOpenIsCountedAndLostAtShutdown) {
  start();
  const Decided decided = decide(tracer(), Context(), "root");
  decided.recorder.open_decided();
  const SpanId child = decided.recorder.open();
  EXPECT_FALSE(child.is_zero());
  EXPECT_EQ(stats().open, 2u);
  EXPECT_EQ(shutdown().open, 2u);
  WholeSpan late;
  late.context = decided.context;
  late.name = "late";
  decided.recorder.write(late);
  EXPECT_EQ(stats().lost[LossReason::shut_down], 1u);
  EXPECT_EQ(stats().open, 1u);
  expect_all_accounted(stats());
}

TEST_F(RecorderTest, TheSamplerIsAskedOnce) {
  ProviderOptions never = options();
  never.sampler = always_off();
  init(std::move(never));
  const Decided decided = decide(tracer(), Context(), "root");
  EXPECT_FALSE(decided.recorder.recording());
  EXPECT_TRUE(decided.context.valid());
  EXPECT_FALSE(decided.context.sampled());
  EXPECT_EQ(stats().started, 1u);
}

// ---- Tables

struct Table {
  explicit Table(const Recorder& recorder, const SpanContext& parent, std::size_t rows) {
    ids.resize(rows * 2);
    recorder.open(ids);
    for (std::size_t i = 0; i < rows; ++i) {
      SpanRow row;
      row.parent = parent;
      row.ids = {ids.data() + 2 * i, 2};
      all.push_back(row);
    }
  }
  std::vector<SpanId> ids;
  std::vector<SpanRow> all;
};

TEST_F(RecorderTest, ATableHasASpanForEachRowAndColumn) {
  ProviderOptions small_batches = options();
  small_batches.batch_spans_max = 7;  // tables are cut anywhere
  init(std::move(small_batches));
  const Decided decided = decide(tracer(), Context(), "root");
  const Attribute shared[] = {{"shared", 0}, {"shared", 1}};
  const SpanColumn columns[] = {{"first", at(10), at(20), shared}, {"second", at(20), at(30), {}}};
  Table table(decided.recorder, decided.context, 1000);
  table.all[3].tracestate = "a=b";
  table.all[4].start = at(5);
  table.all[5].previous = decided.context;
  decided.recorder.write(columns, table.all);
  const std::vector<SpanData> all = spans();
  ASSERT_EQ(all.size(), 2000u);
  for (std::size_t i = 0; i < all.size(); ++i) {
    const SpanData& span = all[i];
    EXPECT_EQ(span.context.span_id(), table.ids[i]);
    EXPECT_EQ(span.parent_span_id, decided.context.span_id());
    EXPECT_EQ(span.name, i % 2 == 0 ? "first" : "second");
    EXPECT_EQ(span.attributes.size(), i % 2 == 0 ? 1u : 0u);
    EXPECT_EQ(span.tracestate, i / 2 == 3 ? "a=b" : "");
    EXPECT_EQ(span.end - span.start, std::chrono::nanoseconds(i == 8 ? 15 : 10));
    EXPECT_EQ(span.links.size(), i % 2 == 1 || i == 10 ? 1u : 0u);
    const SpanId linked = i % 2 == 1 ? table.ids[i - 1] : decided.context.span_id();
    EXPECT_TRUE(span.links.empty() || span.links[0].context.span_id() == linked);
  }
  EXPECT_EQ(stats().open, 0u);
  expect_all_accounted(stats());
}

TEST_F(RecorderTest, ATableOfTooMuchIsWrittenSpanBySpan) {
  start();
  const Decided decided = decide(tracer(), Context(), "root");
  const std::string text(30'000, 'x');
  const Attribute large[] = {{"text", text}};
  const SpanColumn columns[] = {{"a", at(1), at(2), large}, {"b", at(2), at(3), {}}};
  Table table(decided.recorder, decided.context, 3);
  decided.recorder.write(columns, table.all);
  const std::vector<SpanData> all = spans();
  ASSERT_EQ(all.size(), 6u);
  EXPECT_EQ(std::get<std::string>(*all[4].attribute("text")), text);
  expect_all_accounted(stats());
}

TEST_F(RecorderTest, TheQueueLimitCountsRows) {
  ProviderOptions limited = options();
  limited.queue_spans_max = 10;
  init(std::move(limited));
  const Decided decided = decide(tracer(), Context(), "root");
  const SpanColumn columns[] = {{"a", at(1), at(2), {}}, {"b", at(2), at(3), {}}};
  Table table(decided.recorder, decided.context, 8);
  decided.recorder.write(columns, table.all);
  EXPECT_EQ(stats().lost[LossReason::queue_full], 6u);
  EXPECT_EQ(spans().size(), 10u);
  expect_all_accounted(stats());
}

}  // namespace
}  // namespace spanwire::trace
