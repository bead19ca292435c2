// Slices that are over when they are told, by each of their ways to the recorder.
#include <gtest/gtest.h>

#include <string>

#include "tests/journey/fixture.hpp"

namespace spanwire::journey {
namespace {

using CompleteSlicesTest = JourneyTest;

// However a slice gets to the recorder, it follows the one before and is followed by the next.
TEST_F(CompleteSlicesTest, CompleteSlicesFollowEachOther) {
  start();
  Request request = start_request({.rid = "r"});
  const std::string text(20'000, 'x');
  const trace::Attribute usual[] = {{"number", 1}, {"text", "short"}};
  const trace::Attribute large[] = {{"text", text}};
  const trace::WholeEvent events[] = {{"event", in(50), {}}};
  const std::string copied(300, 'c');
  const Slice slices[] = {
      {.name = "first", .start = in(0), .end = in(100), .attributes = usual},
      {.name = "usual", .start = in(0), .end = in(100), .attributes = usual},
      {.name = "large", .start = in(0), .end = in(100), .attributes = large},
      {.name = "with an event", .start = in(0), .end = in(100), .events = events},
      {.name = std::string_view(copied), .start = in(0), .end = in(100)},
      {.name = "last", .start = in(0), .end = in(100), .attributes = usual}};
  for (const Slice& slice : slices) EXPECT_EQ(request.slice(slice), Errc::ok);
  request.finish();
  EXPECT_TRUE(span("first").links.empty());
  for (std::size_t i = 1; i < std::size(slices); ++i) {
    SCOPED_TRACE(slices[i].name.view().substr(0, 20));
    const SpanData it = span(slices[i].name.view());
    ASSERT_EQ(it.links.size(), 1u);
    EXPECT_EQ(it.links[0].context, span(slices[i - 1].name.view()).context);
    EXPECT_EQ(it.attributes.size(), slices[i].attributes.size());
  }
}

}  // namespace
}  // namespace spanwire::journey
