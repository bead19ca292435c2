#include "spanwire/trace/sampler.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace spanwire::trace {
namespace {

TraceId trace_id_with(std::uint64_t low) {
  std::array<std::uint8_t, 16> bytes{};
  bytes[0] = 1;
  for (std::size_t i = 0; i < 8; ++i) bytes[15 - i] = static_cast<std::uint8_t>(low >> (8 * i));
  return TraceId(bytes);
}

Decision decide(const Sampler& sampler, const TraceId& trace_id,
                const SpanContext& parent = SpanContext()) {
  const Context context(parent);
  return sampler.sample({context, trace_id, "span"}).decision;
}

SpanContext parent_with(bool sampled, bool remote) {
  return {trace_id_with(5), *SpanId::from_hex("0123456789abcdef"),
          static_cast<std::uint8_t>(sampled ? kFlagSampled : 0), remote};
}

TEST(Sampler, AlwaysOnAndOff) {
  EXPECT_EQ(decide(*always_on(), trace_id_with(0)), Decision::record_and_sample);
  EXPECT_EQ(decide(*always_off(), trace_id_with(~0ull)), Decision::drop);
  EXPECT_EQ(always_on()->describe(), "AlwaysOnSampler");
  EXPECT_EQ(always_off()->describe(), "AlwaysOffSampler");
}

struct Threshold {
  double ratio;
  std::uint64_t threshold;
};
class RatioThreshold : public ::testing::TestWithParam<Threshold> {};
TEST_P(RatioThreshold, IsWhatOpenTelemetryWrites) {
  EXPECT_EQ(ratio_threshold(GetParam().ratio), GetParam().threshold);
}
constexpr std::uint64_t kNever = std::uint64_t{1} << 56;
INSTANTIATE_TEST_SUITE_P(
    Table, RatioThreshold,
    ::testing::Values(Threshold{1, 0}, Threshold{2, 0}, Threshold{0, kNever}, Threshold{-1, kNever},
                      Threshold{0.5, 0x80000000000000}, Threshold{0.25, 0xc0000000000000},
                      Threshold{0.1, 0xe6660000000000}, Threshold{0.01, 0xfd70a000000000},
                      Threshold{0.001, 0xffbe7700000000}, Threshold{0x1p-56, kNever - 1},
                      Threshold{std::numeric_limits<double>::quiet_NaN(), 0}));

// The first seven bytes decide nothing, the last seven all.
TEST(RatioSampler, LooksAtTheLow56BitsAlone) {
  const SamplerPtr half = trace_id_ratio(0.5);
  EXPECT_EQ(decide(*half, trace_id_with(0x0080000000000000)), Decision::record_and_sample);
  EXPECT_EQ(decide(*half, trace_id_with(0xff80000000000000)), Decision::record_and_sample);
  EXPECT_EQ(decide(*half, trace_id_with(0x007fffffffffffff)), Decision::drop);
  EXPECT_EQ(decide(*half, trace_id_with(0xff7fffffffffffff)), Decision::drop);
}

TEST(RatioSampler, NoneAndAll) {
  EXPECT_EQ(decide(*trace_id_ratio(0), trace_id_with(~0ull)), Decision::drop);
  EXPECT_EQ(decide(*trace_id_ratio(1), trace_id_with(0)), Decision::record_and_sample);
}

TEST(RatioSampler, TakesItsShareAndASmallerOnePartOfIt) {
  constexpr int kTraces = 100'000;
  Random random(11);
  const SamplerPtr tenth = trace_id_ratio(0.1);
  const SamplerPtr third = trace_id_ratio(0.3);
  int in_tenth = 0;
  for (int i = 0; i < kTraces; ++i) {
    const TraceId id = TraceId::generate(random);
    const bool small = decide(*tenth, id) == Decision::record_and_sample;
    in_tenth += small ? 1 : 0;
    EXPECT_TRUE(!small || decide(*third, id) == Decision::record_and_sample);
  }
  EXPECT_NEAR(in_tenth, kTraces / 10, 500);
}

TEST(ParentBased, FollowsTheParentByDefault) {
  const SamplerPtr sampler = parent_based(always_off());
  EXPECT_EQ(decide(*sampler, trace_id_with(1)), Decision::drop);
  for (const bool remote : {true, false}) {
    EXPECT_EQ(decide(*sampler, trace_id_with(1), parent_with(true, remote)),
              Decision::record_and_sample);
    EXPECT_EQ(decide(*sampler, trace_id_with(1), parent_with(false, remote)), Decision::drop);
  }
  EXPECT_EQ(decide(*parent_based(SamplerPtr()), trace_id_with(1)), Decision::record_and_sample);
}

// With a parent the ratio is never looked at.
TEST(ParentBased, AsksTheRootSamplerForRootsOnly) {
  const SamplerPtr sampler = parent_based(trace_id_ratio(0.5));
  const TraceId low = trace_id_with(0);
  EXPECT_EQ(decide(*sampler, low), Decision::drop);
  EXPECT_EQ(decide(*sampler, low, parent_with(true, true)), Decision::record_and_sample);
}

TEST(ParentBased, HasFiveSlots) {
  for (int slot = 0; slot < 5; ++slot) {
    ParentBasedSlots slots{always_on(), always_on(), always_on(), always_on(), always_on()};
    SamplerPtr* const all[] = {&slots.root, &slots.remote_sampled, &slots.remote_not_sampled,
                               &slots.local_sampled, &slots.local_not_sampled};
    *all[slot] = always_off();
    const SamplerPtr sampler = parent_based(slots);
    const SpanContext parents[] = {SpanContext(), parent_with(true, true), parent_with(false, true),
                                   parent_with(true, false), parent_with(false, false)};
    for (int parent = 0; parent < 5; ++parent) {
      EXPECT_EQ(decide(*sampler, trace_id_with(1), parents[parent]),
                parent == slot ? Decision::drop : Decision::record_and_sample)
          << slot << " " << parent;
    }
  }
}

TEST(Sampler, DescribesItself) {
  EXPECT_EQ(trace_id_ratio(0.1)->describe(), "TraceIdRatioBased{0.100000}");
  EXPECT_EQ(parent_based(trace_id_ratio(0.25))->describe(),
            "ParentBased{root:TraceIdRatioBased{0.250000},remoteParentSampled:AlwaysOnSampler,"
            "remoteParentNotSampled:AlwaysOffSampler,localParentSampled:AlwaysOnSampler,"
            "localParentNotSampled:AlwaysOffSampler}");
}

TEST(Sampler, IsMadeByName) {
  const std::pair<const char*, const char*> names[] = {
      {"always_on", "AlwaysOnSampler"},
      {"ALWAYS_OFF", "AlwaysOffSampler"},
      {"traceidratio", "TraceIdRatioBased{0.500000}"},
  };
  for (const auto& [sampler, description] : names) {
    EXPECT_EQ((*make_sampler(sampler, "0.5"))->describe(), description);
    const std::string root = std::string("ParentBased{root:") + description + ",";
    const auto based = make_sampler(std::string("parentbased_") + sampler, "0.5");
    EXPECT_TRUE((*based)->describe().starts_with(root)) << (*based)->describe();
  }
  EXPECT_EQ((*make_sampler("traceidratio"))->describe(), "TraceIdRatioBased{1.000000}");
}

TEST(Sampler, RefusesNamesAndRatiosItDoesNotKnow) {
  for (const char* name : {"", "jaeger_remote", "parentbased_", "parentbased_xray", "always"}) {
    EXPECT_EQ(make_sampler(name).error(), Errc::not_found) << name;
  }
  for (const char* ratio : {"-0.1", "1.1", "x", "0.5x", " 0.5", "nan", "inf"}) {
    EXPECT_EQ(make_sampler("traceidratio", ratio).error(), Errc::invalid_argument) << ratio;
  }
}

}  // namespace
}  // namespace spanwire::trace
