// Answers of real Jaeger servers (2.13 and 2.20, both stores) to one rich trace of 14 spans, one of
// them sent twice.
#include <gtest/gtest.h>

#include <algorithm>

#include "spanwire/inspect/reader.hpp"
#include "spanwire/inspect/tree.hpp"

namespace spanwire::inspect {
namespace {

struct Answer {
  const char* name;
  bool has_flags;       // Badger loses them
  bool empty_name;      // 2.20 gives an empty name one
  std::size_t copies;   // of the span that was sent twice, beyond the first
  bool root_with_link;  // the root whose link points into its own trace stays a root
};

class JaegerAnswers : public ::testing::TestWithParam<Answer> {
 protected:
  void SetUp() override {
    const std::string path = std::string(SPANWIRE_SOURCE_DIR) + "/tests/inspect/data/jaeger/" +
                             GetParam().name + ".json";
    ASSERT_TRUE(reader_.read_file(path));
    ASSERT_EQ(reader_.report().problem_count, 0u) << reader_.report().problems[0].text;
  }

  const Span& span(std::string_view name) const {
    const auto& spans = reader_.traces().spans;
    const auto found =
        std::find_if(spans.begin(), spans.end(), [&](const Span& s) { return s.name == name; });
    EXPECT_NE(found, spans.end()) << name;
    return *found;
  }

  Reader reader_;
};

TEST_P(JaegerAnswers, AreReadAsOneTree) {
  EXPECT_EQ(reader_.traces().spans.size(), 14u);
  EXPECT_EQ(reader_.report().duplicates, GetParam().copies);
  const std::vector<Tree> trees = build_trees(reader_.traces());
  ASSERT_EQ(trees.size(), 1u);
  EXPECT_EQ(trees[0].orphans, 1u);
  EXPECT_EQ(trees[0].roots, GetParam().root_with_link ? 3u : 2u);
  EXPECT_EQ(trees[0].processes, 3u);
}

TEST_P(JaegerAnswers, KeepWhatTheStoreKeeps) {
  EXPECT_EQ(span("root").tracestate, "vend=v1,rojo=00f0");
  EXPECT_EQ(span("root").flags, GetParam().has_flags ? 0x301u : 0u);
  EXPECT_EQ(span("root").dropped, GetParam().has_flags ? 12u : 0u);
  EXPECT_EQ(text_of(span("root").attributes, "big"), "9007199254740993");
  EXPECT_EQ(text_of(span("root").attributes, "nan"), "NaN");
  EXPECT_EQ(text_of(span("root").attributes, "map"), R"({"k":"v"})");
  EXPECT_EQ(span("root").events.size(), 4u);
  EXPECT_EQ(span("worker").status, SpanStatus::error);
  EXPECT_EQ(span("worker").status_message, "boom");
  EXPECT_EQ(span("client").kind, SpanKind::client);
  EXPECT_EQ(span("client").links.size(), 1u);
  EXPECT_EQ(span(GetParam().empty_name ? "empty-span-name" : "").parent, span("root").id);
}

INSTANTIATE_TEST_SUITE_P(
    Recorded, JaegerAnswers,
    ::testing::Values(Answer{"v2.13-memory-rich-raw", true, false, 1, true},
                      Answer{"v2.13-badger-rich-raw", false, false, 0, false},
                      Answer{"v2.20-memory-rich-raw", true, true, 1, true},
                      Answer{"v2.20-memory-rich-adjusted", true, true, 0, true},
                      Answer{"v2.20-memory-rich-skew-adjusted", true, true, 0, true},
                      Answer{"v2.20-badger-rich-raw", false, true, 0, false},
                      Answer{"v2.20-badger-rich-adjusted", false, true, 0, false}),
    [](const auto& test) {
      std::string name = test.param.name;
      std::replace_if(name.begin(), name.end(), [](char c) { return c == '-' || c == '.'; }, '_');
      return name;
    });

}  // namespace
}  // namespace spanwire::inspect
