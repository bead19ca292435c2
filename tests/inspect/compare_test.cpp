#include "spanwire/inspect/compare.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/inspect/build.hpp"

namespace spanwire::inspect {
namespace {

using testing::Traces;

Comparison compared(const Traces& a, const Traces& b) {
  const std::vector<Tree> trees_a = build_trees(a.set);
  const std::vector<Tree> trees_b = build_trees(b.set);
  std::vector<const Tree*> all_a;
  std::vector<const Tree*> all_b;
  for (const Tree& tree : trees_a) all_a.push_back(&tree);
  for (const Tree& tree : trees_b) all_b.push_back(&tree);
  return compare(a.set, all_a, b.set, all_b);
}

TEST(Compare, GivesTimesOfEachNameAndWhatIsMissingAndNew) {
  Traces a;
  const auto front = a.process("front");
  a.span(front, 1, 0, "request", 0, 1'000);
  a.span(front, 2, 1, "step", 0, 10);
  a.span(front, 3, 1, "step", 10, 20);
  a.span(front, 4, 1, "step", 30, 90);
  a.span(front, 5, 1, "old", 130, 1);
  Traces b;
  b.process("front");
  b.span(front, 1, 0, "request", 0, 1'500);
  b.span(front, 2, 1, "step", 0, 40).status = SpanStatus::error;
  b.span(front, 6, 1, "fresh", 50, 1);
  const Comparison result = compared(a, b);
  ASSERT_EQ(result.names.size(), 4u);
  EXPECT_EQ(result.names[0].name, "request") << "the largest change comes first";
  EXPECT_DOUBLE_EQ(result.names[0].ratio().value(), 1.5);
  const ComparedName& step = result.names[1];
  EXPECT_EQ(step.a.spans, 3u);
  EXPECT_EQ(step.a.median_ns, 20'000);
  EXPECT_EQ(step.a.p90_ns, 90'000);
  EXPECT_EQ(step.a.total_ns, 120'000);
  EXPECT_EQ(step.b.errors, 1u);
  EXPECT_DOUBLE_EQ(step.ratio().value(), 2.0);
  EXPECT_EQ(result.names[2].name, "old");
  EXPECT_EQ(result.names[2].b.spans, 0u);
  EXPECT_FALSE(result.names[2].ratio());
  EXPECT_EQ(result.names[3].name, "fresh");
  EXPECT_EQ(comparison_text(result),
            "A: 1 trace, B: 1 trace\n\n"
            "service           span                             spans A   median A spans B   "
            "median B     B / A\n"
            "front             request                                1    1.00 ms       1    "
            "1.50 ms    1.50 x\n"
            "front             step                                   3    20.0 µs       1    "
            "40.0 µs    2.00 x\n"
            "front             old                                    1    1.00 µs       -       "
            "       missing\n"
            "front             fresh                                  -                  1    "
            "1.00 µs       new\n");
  const auto json = nlohmann::json::parse(comparison_json(result));
  EXPECT_EQ(json["names"][1]["b"]["errors"], 1);
  EXPECT_EQ(json["names"][3].contains("ratio"), false);
}

TEST(Compare, ASpanThatTakesNoTimeHasNoRatio) {
  Traces a;
  a.span(a.process("s"), 1, 0, "x", 0, 0);
  EXPECT_FALSE(compared(a, a).names[0].ratio());
  EXPECT_TRUE(compared(Traces(), Traces()).names.empty());
}

}  // namespace
}  // namespace spanwire::inspect
