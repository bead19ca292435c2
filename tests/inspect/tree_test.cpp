#include "spanwire/inspect/tree.hpp"

#include <gtest/gtest.h>

#include <random>
#include <set>

#include "tests/inspect/build.hpp"

namespace spanwire::inspect {
namespace {

using testing::Traces;

std::string outline(const TraceSet& set, const Tree& tree) {
  std::string text;
  for (const Node& node : tree.nodes) {
    text += std::string(node.depth, '.') + set.spans[node.span].name;
    if (node.orphan) text += "(orphan)";
    if (node.partial) text += "(partial)";
    if (node.cycle) text += "(cycle)";
    text += ' ';
  }
  return text;
}

TEST(Tree, PutsChildrenUnderTheirParentsByStart) {
  Traces traces;
  const auto p = traces.process("s");
  traces.span(p, 3, 1, "late", 50, 10);
  traces.span(p, 2, 1, "early", 10, 10);
  traces.span(p, 4, 2, "below", 12, 2);
  traces.span(p, 1, 0, "root", 0, 100);
  const auto trees = build_trees(traces.set);
  ASSERT_EQ(trees.size(), 1u);
  EXPECT_EQ(outline(traces.set, trees[0]), "root .early ..below .late ");
  EXPECT_EQ(trees[0].nodes[0].descendants, 3u);
  EXPECT_EQ(trees[0].nodes[1].descendants, 1u);
  EXPECT_FALSE(trees[0].nodes[1].last);
  EXPECT_TRUE(trees[0].nodes[3].last);
  EXPECT_EQ(trees[0].end_ns - trees[0].start_ns, 100'000);
}

TEST(Tree, MarksASpanWhoseParentWasNotRead) {
  Traces traces;
  const auto p = traces.process("s");
  traces.span(p, 1, 0, "root", 0, 100);
  traces.span(p, 2, 9, "lost", 10, 10);
  traces.span(p, 3, 2, "below", 12, 2);
  const auto trees = build_trees(traces.set);
  EXPECT_EQ(outline(traces.set, trees[0]), "root lost(orphan) .below ");
  EXPECT_EQ(trees[0].orphans, 1u);
  EXPECT_EQ(trees[0].roots, 2u);
}

struct CycleCase {
  const char* name;
  std::vector<std::pair<unsigned, unsigned>> edges;  // id, parent
  const char* outline;
};

TEST(Tree, CutsCyclesOnceAndShowsEverySpan) {
  const CycleCase cases[] = {
      {"itself", {{1, 1}}, "1(cycle) "},
      {"two", {{1, 2}, {2, 1}}, "1(cycle) .2 "},
      {"three with a tail", {{1, 3}, {2, 1}, {3, 2}, {4, 3}}, "1(cycle) .2 ..3 ...4 "},
      {"the tail first", {{1, 2}, {2, 3}, {3, 2}}, "2(cycle) .1 .3 "},
      {"beside a tree", {{1, 0}, {2, 1}, {3, 4}, {4, 3}}, "1 .2 3(cycle) .4 "},
      {"two cycles", {{1, 2}, {2, 1}, {3, 4}, {4, 3}}, "1(cycle) .2 3(cycle) .4 "},
  };
  for (const CycleCase& item : cases) {
    Traces traces;
    const auto p = traces.process("s");
    for (const auto& [id, parent] : item.edges) {
      traces.span(p, id, parent, std::to_string(id), id, 1);
    }
    const auto trees = build_trees(traces.set);
    ASSERT_EQ(trees.size(), 1u) << item.name;
    EXPECT_EQ(outline(traces.set, trees[0]), item.outline) << item.name;
  }
}

// Whatever the parents say, every span is in one tree once, parents before children.
TEST(Tree, HoldsEverySpanOnceForRandomParents) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    std::mt19937 engine(seed);
    const auto random = [&engine](unsigned below) {
      return static_cast<unsigned>(engine() % below);
    };
    Traces traces;
    const auto p = traces.process("s");
    const unsigned count = 1 + random(30);
    for (unsigned i = 1; i <= count; ++i) {
      traces.trace = 1 + random(3);
      // Ids repeat now and then, parents point anywhere.
      traces.span(p, 1 + random(count + 3), random(count + 5), "x", random(50), 1);
    }
    std::multiset<std::size_t> seen;
    for (const Tree& tree : build_trees(traces.set)) {
      for (std::size_t i = 0; i < tree.nodes.size(); ++i) {
        const Node& node = tree.nodes[i];
        seen.insert(node.span);
        ASSERT_TRUE(node.parent == kNone || node.parent < i) << "seed " << seed;
        ASSERT_LE(i + node.descendants, tree.nodes.size() - 1) << "seed " << seed;
      }
    }
    ASSERT_EQ(seen.size(), count) << "seed " << seed;
    ASSERT_EQ(std::set<std::size_t>(seen.begin(), seen.end()).size(), count) << "seed " << seed;
  }
}

TEST(Tree, IsBuiltWithoutRecursion) {
  Traces traces;
  const auto p = traces.process("s");
  constexpr unsigned kDeep = 50'000;
  for (unsigned i = 1; i <= kDeep; ++i) traces.span(p, i, i - 1, "x", i, 1);
  const auto trees = build_trees(traces.set);
  ASSERT_EQ(trees.size(), 1u);
  EXPECT_EQ(trees[0].nodes.back().depth, kDeep - 1);
  EXPECT_EQ(trees[0].nodes.front().descendants, kDeep - 1);
}

TEST(Tree, TreesComeOldestFirst) {
  Traces traces;
  const auto p = traces.process("s");
  traces.trace = 2;
  traces.span(p, 1, 0, "second", 500, 1);
  traces.trace = 1;
  traces.span(p, 1, 0, "first", 100, 1);
  const auto trees = build_trees(traces.set);
  ASSERT_EQ(trees.size(), 2u);
  EXPECT_EQ(trees[0].id, testing::trace_id(1));
}

class ClockCorrection : public ::testing::Test {
 protected:
  void say_host(std::uint32_t process, std::string host) {
    traces.set.processes[process].attributes.push_back({"host.name", Value{std::move(host)}});
  }
  // A client span from 0 to 100 ms and its server span of 60, seen `skew` later by its own clock.
  Tree build(std::int64_t skew_us, std::optional<std::int64_t> measured_us = std::nullopt,
             ClockUse clocks = ClockUse::corrected) {
    Span& client = traces.span(traces.process("front"), 1, 0, "call", 0, 100'000);
    client.kind = SpanKind::client;
    if (measured_us) {
      client.attributes.push_back(
          {std::string(kClockOffsetAttribute), Value{*measured_us * 1'000}});
    }
    const auto worker = traces.process("worker");
    traces.span(worker, 2, 1, "call", 20'000 + skew_us, 60'000).kind = SpanKind::server;
    traces.span(worker, 3, 2, "inner", 30'000 + skew_us, 10'000);
    return build_trees(traces.set, clocks)[0];
  }
  Traces traces;
};

TEST_F(ClockCorrection, ShiftsAProcessThatSticksOutByWhatItsClientMeasured) {
  const Tree tree = build(500'000, 501'000);
  EXPECT_TRUE(tree.shifted);
  EXPECT_EQ(tree.nodes[0].shift_ns, 0);
  EXPECT_EQ(tree.nodes[1].shift_ns, -501'000'000);
  EXPECT_EQ(tree.nodes[2].shift_ns, -501'000'000);
  EXPECT_EQ(tree.end_ns - tree.start_ns, 100'000'000);
}

TEST_F(ClockCorrection, WithoutAMeasureTheServerIsInTheMiddle) {
  EXPECT_EQ(build(-500'000).nodes[1].shift_ns, 500'000'000);
}
TEST_F(ClockCorrection, LeavesWhatFitsAlone) { EXPECT_FALSE(build(3'000, 3'000).shifted); }
TEST_F(ClockCorrection, LeavesAllAloneWhenToldTo) {
  const Tree tree = build(500'000, 500'000, ClockUse::as_recorded);
  EXPECT_FALSE(tree.shifted);
  EXPECT_EQ(tree.end_ns - tree.start_ns, 580'000'000);
}
// The server's span, wherever its clock says, lay within its client's.
TEST_F(ClockCorrection, KeepsAnAbsurdMeasureWithinReason) {
  EXPECT_EQ(build(500'000, INT64_MAX / 1'000).nodes[1].shift_ns, -520'000'000);
}

TEST_F(ClockCorrection, ProcessesOfOneHostHaveOneClock) {
  build(500'000);
  say_host(0, "a");
  say_host(1, "b");
  EXPECT_TRUE(build_trees(traces.set)[0].shifted);
  traces.set.processes[1].attributes.clear();
  say_host(1, "a");
  EXPECT_FALSE(build_trees(traces.set)[0].shifted);
}
// Who calls nobody else and is called on its own host moves with its caller.
TEST_F(ClockCorrection, MovesAWholeHost) {
  const auto audit = traces.process("audit");
  build(500'000);
  say_host(0, "b");
  say_host(1, "a");
  say_host(2, "b");
  traces.span(audit, 4, 2, "note", 20'000 + 500'000, 300'000);
  const Tree tree = build_trees(traces.set)[0];
  for (const Node& node : tree.nodes) {
    EXPECT_EQ(node.shift_ns,
              traces.set.spans[node.span].process == 1 ? 0 : -520'000'000 + 20'000'000)
        << traces.set.spans[node.span].name;
  }
}

TEST(FindTree, TakesTheBeginningOfAnId) {
  Traces traces;
  const auto p = traces.process("s");
  traces.trace = 0xABCDEF01;
  traces.span(p, 1, 0, "a", 0, 1);
  traces.trace = 0xABCDEF02;
  traces.span(p, 1, 0, "b", 1, 1);
  const auto trees = build_trees(traces.set);
  EXPECT_EQ(find_tree(trees, "000000000000000000000000ABCDEF02").value(), &trees[1]);
  EXPECT_EQ(find_tree(trees, "0000").error(), Errc::already_exists);
  EXPECT_EQ(find_tree(trees, "1").error(), Errc::not_found);
  EXPECT_EQ(find_tree(trees, "").error(), Errc::invalid_argument);
  EXPECT_EQ(find_tree(trees, "xyz").error(), Errc::invalid_argument);
}

// What was not sampled, but kept for how it ended, has no parent that would be missing.
TEST(Trees, AKeptSpanIsNoOrphan) {
  Traces traces;
  const auto p = traces.process("s");
  traces.span(p, 2, 1, "kept", 0, 10).attributes.push_back({"spanwire.partial", Value{true}});
  traces.span(p, 3, 2, "below", 1, 5).attributes.push_back({"spanwire.partial", Value{true}});
  traces.span(p, 5, 4, "lost", 2, 5).attributes.push_back({"spanwire.partial", Value{false}});
  const std::vector<Tree> trees = build_trees(traces.set);
  EXPECT_EQ(outline(traces.set, trees[0]), "kept(partial) .below lost(orphan) ");
  EXPECT_EQ(trees[0].partials, 1u);
  EXPECT_EQ(trees[0].orphans, 1u);
}

}  // namespace
}  // namespace spanwire::inspect
