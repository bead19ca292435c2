#include <gtest/gtest.h>

#include <set>
#include <string>

#include "spanwire/trace/baggage.hpp"
#include "spanwire/trace/traceparent.hpp"
#include "spanwire/trace/tracestate.hpp"
#include "tests/trace/vectors.hpp"

namespace spanwire::trace {
namespace {

constexpr std::string_view kTraceHex = "0af7651916cd43dd8448eb211c80319c";
constexpr std::string_view kSpanHex = "b7ad6b7169203331";

SpanContext example(std::uint8_t flags = kFlagSampled) {
  return {*TraceId::from_hex(kTraceHex), *SpanId::from_hex(kSpanHex), flags};
}

// ---- Ids

TEST(Id, ReadsAndWritesEveryByteAsHex) {
  std::array<std::uint8_t, 8> bytes{};
  for (unsigned value = 0; value < 256; ++value) {
    bytes.fill(static_cast<std::uint8_t>(value));
    bytes[value % 8] = static_cast<std::uint8_t>(~value);
    const SpanId id(bytes);
    char expected[17];
    for (std::size_t i = 0; i < 8; ++i) std::snprintf(expected + 2 * i, 3, "%02x", bytes[i]);
    EXPECT_EQ(id.hex().view(), std::string_view(expected, 16));
    EXPECT_EQ(SpanId::from_hex(expected), id);
  }
}

TEST(Id, RefusesEveryCharacterThatIsNoLowerCaseDigit) {
  for (int c = 0; c < 256; ++c) {
    const bool digit = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
    for (const std::size_t at : {0u, 7u, 16u, 31u}) {
      std::string text(kTraceHex);
      text[at] = static_cast<char>(c);
      EXPECT_EQ(TraceId::from_hex(text).has_value(), digit) << c << " at " << at;
    }
  }
}

TEST(Id, RefusesAnotherLength) {
  for (const std::size_t size : {0u, 1u, 15u, 17u, 31u, 33u, 64u}) {
    EXPECT_FALSE(TraceId::from_hex(std::string(size, '1')).has_value());
    EXPECT_FALSE(SpanId::from_hex(std::string(size, '1')).has_value());
  }
}

TEST(Id, OfZerosIsNone) {
  EXPECT_TRUE(TraceId().is_zero());
  EXPECT_TRUE(TraceId::from_hex(std::string(32, '0'))->is_zero());
  for (std::size_t at = 0; at < 32; ++at) {
    std::string text(32, '0');
    text[at] = '1';
    EXPECT_FALSE(TraceId::from_hex(text)->is_zero()) << at;
  }
}

TEST(Id, LowBytesAreReadBigEndian) {
  EXPECT_EQ(TraceId::from_hex("00000000000000000102030405060708")->low_64(), 0x0102030405060708u);
}

TEST(Id, GeneratedOnesFollowFromTheSeedAndDiffer) {
  Random first(7);
  Random second(7);
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const TraceId id = TraceId::generate(first);
    EXPECT_EQ(id, TraceId::generate(second));
    EXPECT_FALSE(id.is_zero());
    seen.insert(id.hex().str());
  }
  EXPECT_EQ(seen.size(), 1000u);
}

TEST(SpanContext, KeepsOnlyTheFlagsThatAreDefined) {
  for (unsigned flags = 0; flags < 256; ++flags) {
    const SpanContext span = example(static_cast<std::uint8_t>(flags));
    EXPECT_EQ(span.flags(), flags & (3 | kFlagDebug));
    EXPECT_EQ(traceparent_text(span).str().substr(53), "0" + std::to_string(flags & 3));
    EXPECT_EQ(span.debug(), (flags & kFlagDebug) != 0 && (flags & 1) != 0);
    EXPECT_EQ(span.sampled(), (flags & 1) != 0);
    EXPECT_EQ(span.random(), (flags & 2) != 0);
  }
}

TEST(SpanContext, ChildKeepsTraceAndRandomBit) {
  Random random(1);
  const SpanContext parent(example().trace_id(), example().span_id(), 3, true);
  const SpanContext child = parent.child(SpanId::generate(random), false);
  EXPECT_EQ(child.trace_id(), parent.trace_id());
  EXPECT_EQ(child.flags(), kFlagRandom);
  EXPECT_FALSE(child.remote());
  EXPECT_EQ(child.with_sampled(true).flags(), 3);
  EXPECT_EQ(parent.with_sampled(false).flags(), kFlagRandom);
  EXPECT_TRUE(parent.with_sampled(false).remote());
}

TEST(SpanContext, ReadsAsText) {
  EXPECT_EQ(example().to_string(), "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  EXPECT_EQ(SpanContext().to_string(), "-");
}

// ---- traceparent

TEST(Traceparent, AgreesWithTheVectors) {
  for (const auto& vector : vectors("traceparent.json")) {
    SCOPED_TRACE(text(vector, "name"));
    const Result<SpanContext> span = parse_traceparent(text(vector, "text"));
    EXPECT_EQ(name(span ? Errc::ok : span.error().code()), text(vector, "result"));
    if (!span) continue;
    EXPECT_EQ(span->trace_id().hex().view(), text(vector, "trace_id"));
    EXPECT_EQ(span->span_id().hex().view(), text(vector, "span_id"));
    EXPECT_EQ(span->flags(), vector.value("flags", 255));
    EXPECT_TRUE(span->remote());
  }
}

TEST(Traceparent, EveryPrefixIsMalformed) {
  const std::string whole = example().to_string();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_EQ(parse_traceparent(whole.substr(0, size)).error(), Errc::traceparent_malformed)
        << size;
  }
}

// Whatever one character is replaced by, nothing but the same shape of text is accepted.
TEST(Traceparent, AcceptsInEachPlaceOnlyWhatBelongsThere) {
  const std::string whole = example().to_string();
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (int c = 0; c < 256; ++c) {
      std::string changed = whole;
      changed[at] = static_cast<char>(c);
      const bool dash = at == 2 || at == 35 || at == 52;
      const bool digit = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
      EXPECT_EQ(parse_traceparent(changed).has_value(), dash ? c == '-' : digit) << at << " " << c;
    }
  }
}

TEST(Traceparent, LeavesTheResultAloneWhenItFails) {
  SpanContext span = example();
  EXPECT_EQ(read_traceparent("00-", span), Errc::traceparent_malformed);
  EXPECT_EQ(span, example());
}

TEST(Traceparent, WritesWhatItReads) {
  Random random(3);
  for (int i = 0; i < 1000; ++i) {
    const SpanContext span(TraceId::generate(random), SpanId::generate(random),
                           static_cast<std::uint8_t>(random.next() & kFlagsKnown), true);
    EXPECT_EQ(parse_traceparent(traceparent_text(span)), span);
  }
}

TEST(Traceparent, WritesTheSampledBitAloneWhenAsked) {
  for (std::uint8_t flags = 0; flags < 4; ++flags) {
    FixedText<kTraceparentBytes> text;
    write_traceparent(example(flags), text.chars.data(), kFlagSampled);
    EXPECT_EQ(parse_traceparent(text)->flags(), flags & 1);
  }
}

// ---- tracestate

TEST(Tracestate, AgreesWithTheVectors) {
  for (const auto& vector : vectors("tracestate.json")) {
    SCOPED_TRACE(text(vector, "name"));
    const std::string input = text(vector, "text");
    const TracestateCheck check = check_tracestate(input);
    EXPECT_EQ(name(check.cause), text(vector, "result"));
    EXPECT_EQ(check.text, text(vector, "kept"));
    if (vector.contains("members")) {
      EXPECT_EQ(check.members, vector.value("members", 0u));
    }
    EXPECT_EQ(check.needs_escape, check.text.find_first_of("\"\\\t") != std::string_view::npos);
  }
}

TEST(Tracestate, ShowsItsMembersInOrder) {
  std::string_view rest = "a=1 ,, b= 2,c=3";
  std::string seen;
  while (const auto member = next_tracestate_member(rest)) {
    seen.append(member->key).append(":").append(member->value).append(";");
  }
  EXPECT_EQ(seen, "a:1;b: 2;c:3;");
}

TEST(Tracestate, GetsTheLeftMostMember) {
  EXPECT_EQ(tracestate_get("a=1,b=2,a=3", "a"), "1");
  EXPECT_EQ(tracestate_get("ab=1,b=2", "b"), "2");
  EXPECT_EQ(tracestate_get("a=1", "b"), std::nullopt);
  EXPECT_EQ(tracestate_get("", "b"), std::nullopt);
}

TEST(Tracestate, PutsAChangedMemberToTheLeftOnce) {
  EXPECT_EQ(tracestate_set("a=1,b=2,c=3", "c", "9"), "c=9,a=1,b=2");
  EXPECT_EQ(tracestate_set("a=1, b=2 ,b=4,c=3", "b", "x y"), "b=x y,a=1,c=3");
  EXPECT_EQ(tracestate_set("", "ot", "th:8"), "ot=th:8");
  EXPECT_EQ(tracestate_set("ab=1", "a", "2"), "a=2,ab=1");
}

TEST(Tracestate, DropsTheRightMostMemberOfAFullList) {
  std::string full;
  for (int i = 0; i < 32; ++i) full += (i == 0 ? "k" : ",k") + std::to_string(i) + "=v";
  const std::string longer = *tracestate_set(full, "new", "1");
  EXPECT_EQ(check_tracestate(longer).members, 32u);
  EXPECT_TRUE(longer.starts_with("new=1,k0=v,"));
  EXPECT_TRUE(longer.ends_with(",k30=v"));
  EXPECT_TRUE(tracestate_set(full, "k5", "2")->ends_with(",k31=v"));
}

TEST(Tracestate, RefusesToSetWhatIsNotLegal) {
  for (const char* key : {"", "A", "@a", "a.b", "a b"}) {
    EXPECT_EQ(tracestate_set("", key, "1").error(), Errc::tracestate_malformed) << key;
  }
  for (const char* value : {"", "a,b", "a=b", "a ", "\t", "\x7f"}) {
    EXPECT_EQ(tracestate_set("", "a", value).error(), Errc::tracestate_malformed) << value;
  }
  EXPECT_EQ(tracestate_set("", "a", std::string(257, 'v')).error(), Errc::tracestate_malformed);
  EXPECT_EQ(tracestate_set("", std::string(257, 'a'), "v").error(), Errc::tracestate_malformed);
}

TEST(Tracestate, ErasesEveryMemberOfAKey) {
  EXPECT_EQ(tracestate_erase("a=1,b=2,a=3", "a"), "b=2");
  EXPECT_EQ(tracestate_erase("a=1", "a"), "");
  EXPECT_EQ(tracestate_erase("ab=1,,b=2", "a"), "ab=1,b=2");
}

TEST(Tracestate, CutsLargeMembersFirstThenFromTheRight) {
  const std::string large = "large=" + std::string(130, 'x');
  EXPECT_EQ(tracestate_fit("a=1," + large + ",b=2,c=3", 100), "a=1,b=2,c=3");
  EXPECT_EQ(tracestate_fit("a=1,b=2,c=3", 8), "a=1,b=2");
  EXPECT_EQ(tracestate_fit("a=1,b=2,c=3", 7), "a=1,b=2");
  EXPECT_EQ(tracestate_fit("a=1,b=2,c=3", 6), "a=1");
  EXPECT_EQ(tracestate_fit("a=1,b=2,c=3", 11), "a=1,b=2,c=3");
  EXPECT_EQ(tracestate_fit("a=1", 2), "");
}

// ---- Baggage

TEST(Baggage, AgreesWithTheVectors) {
  for (const auto& vector : vectors("baggage.json")) {
    SCOPED_TRACE(text(vector, "name"));
    const std::string input = text(vector, "text");
    std::string rebuilt;
    const BaggageCheck check = check_baggage(input, rebuilt);
    EXPECT_EQ(name(check.cause), text(vector, "result"));
    EXPECT_EQ(check.text, text(vector, "kept"));
    EXPECT_EQ(check.members, vector.at("entries").size());
    std::string_view rest = check.text;
    for (const auto& entry : vector.at("entries")) {
      const auto member = next_baggage_member(rest);
      ASSERT_TRUE(member.has_value());
      EXPECT_EQ(member->key, entry.at(0).get<std::string>());
      EXPECT_EQ(member->value(), entry.at(1).get<std::string>());
      EXPECT_EQ(member->metadata, entry.at(2).get<std::string>());
    }
    EXPECT_FALSE(next_baggage_member(rest).has_value());
  }
}

TEST(Baggage, ReturnsEveryByteThatWasSet) {
  std::string all;
  for (int c = 1; c < 0x80; ++c) all += static_cast<char>(c);
  all += "\xC3\xA4\xF0\x9F\x98\x80";
  const std::string list = *baggage_set("", "k", all);
  std::string rebuilt;
  EXPECT_EQ(check_baggage(list, rebuilt).cause, Errc::ok);
  EXPECT_FALSE(check_baggage(list, rebuilt).needs_escape);
  EXPECT_EQ(baggage_get(list, "k"), all);
}

TEST(Baggage, SetsInPlaceAndOnce) {
  EXPECT_EQ(baggage_set("a=1,b=2;m,c=3,b=4", "b", "x y", "p=1"), "a=1,b=x%20y;p=1,c=3");
  EXPECT_EQ(baggage_set("a=1", "b", ""), "a=1,b=");
  EXPECT_EQ(baggage_set("a=1", "A", "2"), "a=1,A=2");
  EXPECT_EQ(baggage_get("a=1,a=2", "a"), "2");
  EXPECT_EQ(baggage_get("a=1", "b"), std::nullopt);
  EXPECT_EQ(baggage_erase("a=1, b=2,a=3", "a"), "b=2");
}

TEST(Baggage, RefusesToSetBeyondItsLimits) {
  EXPECT_EQ(baggage_set("", "a b", "1").error(), Errc::baggage_malformed);
  EXPECT_EQ(baggage_set("", "", "1").error(), Errc::baggage_malformed);
  EXPECT_EQ(baggage_set("", "a", "1", "p,q").error(), Errc::baggage_malformed);
  EXPECT_EQ(baggage_set("", "a", "1", "\n").error(), Errc::baggage_malformed);
  EXPECT_EQ(baggage_set("", "a", std::string(8191, 'v')).error(), Errc::baggage_too_long);
  EXPECT_EQ(baggage_set("", "a", std::string(8190, 'v'))->size(), 8192u);
  std::string full;
  for (int i = 0; i < 64; ++i) full += (i == 0 ? "k" : ",k") + std::to_string(i) + "=v";
  EXPECT_EQ(baggage_set(full, "new", "1").error(), Errc::baggage_too_many_members);
  EXPECT_TRUE(baggage_set(full, "k9", "1").has_value());
}

}  // namespace
}  // namespace spanwire::trace
