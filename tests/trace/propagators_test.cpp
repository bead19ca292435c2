#include "spanwire/trace/propagators.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "spanwire/base/counters.hpp"
#include "tests/trace/every_carrier.hpp"

namespace spanwire::trace {
namespace {

constexpr std::string_view kParent = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01";

Propagators list_of(std::string_view names) {
  Propagators all;
  while (!names.empty() && names != "none") {
    const std::string_view first = names.substr(0, names.find(','));
    names.remove_prefix(std::min(first.size() + 1, names.size()));
    all.add(propagator_of(first).value());
  }
  return all;
}

class PropagatorsTest : public ::testing::Test {
 protected:
  void TearDown() override { set_propagators(Propagators::w3c()); }

  // Of a context with a parent, tracestate, baggage and an id.
  static Map injected(std::string_view names, std::string_view traceparent = kParent) {
    const Map in = {{"traceparent", std::string(traceparent)},
                    {"tracestate", "a=1"},
                    {"baggage", "k=v"},
                    {"x-request-id", "r"}};
    const Context context = extract(in).context();
    set_propagators(list_of(names));
    const Map out = forwarded(context);
    set_propagators(Propagators::w3c());
    return out;
  }
};

TEST_F(PropagatorsTest, AgreesWithTheVectorsOnEveryKindOfCarrier) {
  for (const json& vector : vectors("propagators.json")) {
    SCOPED_TRACE(text(vector, "name"));
    on_every_carrier(headers_of(vector), [&](const auto& carrier, bool) {
      const Refusals before = Refusals::now();
      set_propagators(list_of(text(vector, "propagators")));
      const Extracted extracted = extract(carrier);
      set_propagators(Propagators::w3c());
      EXPECT_EQ(json(Refusals::now().since(before)), vector.at("refused"));
      EXPECT_EQ(json(forwarded(extracted.context())), vector.at("expect"));
      EXPECT_TRUE(!extracted.parent().valid() || extracted.parent().remote());
    });
  }
}

// forwarded() writes to a carrier of every kind and compares them.
TEST_F(PropagatorsTest, EachFormIsWritten) {
  const std::string trace = "0123456789abcdef0123456789abcdef";
  const std::string span = "0123456789abcdef";
  EXPECT_EQ(injected("b3"), (Map{{"b3", trace + "-" + span + "-1"}, {"x-request-id", "r"}}));
  EXPECT_EQ(injected("b3multi"), (Map{{"x-b3-traceid", trace},
                                      {"x-b3-spanid", span},
                                      {"x-b3-sampled", "1"},
                                      {"x-request-id", "r"}}));
  EXPECT_EQ(injected("jaeger"),
            (Map{{"uber-trace-id", trace + ":" + span + ":0:01"}, {"x-request-id", "r"}}));
  EXPECT_EQ(injected("b3", "00-" + trace + "-" + span + "-00").at("b3"), trace + "-" + span + "-0");
  EXPECT_EQ(injected("baggage"), (Map{{"baggage", "k=v"}, {"x-request-id", "r"}}));
  EXPECT_EQ(injected("none"), (Map{{"x-request-id", "r"}}));
  EXPECT_EQ(injected("tracecontext,baggage,b3,b3multi,jaeger").size(), 9u);
}

// What one process writes another one reads.
TEST_F(PropagatorsTest, EachFormComesBackAsItLeft) {
  for (const char* form : {"b3", "b3multi", "jaeger"}) {
    for (const char* flags : {"00", "01"}) {
      SCOPED_TRACE(std::string(form) + flags);
      const std::string parent = std::string(kParent.substr(0, 53)) + flags;
      const Map out = injected(form, parent);
      set_propagators(list_of(form));
      const Extracted extracted = extract(out);
      set_propagators(Propagators::w3c());
      EXPECT_EQ(extracted.parent().to_string(), parent);
    }
  }
}

TEST_F(PropagatorsTest, ReplacesWhatStandsThereInAnyCase) {
  Pairs carrier = {{"B3", "old"}, {"content-type", "x"}};
  set_propagators(list_of("b3"));
  inject(Context(*parse_traceparent(kParent)), carrier);
  ASSERT_EQ(carrier.size(), 2u);
  EXPECT_EQ(carrier[1].first, "b3");
}

TEST_F(PropagatorsTest, ARepeatedFieldIsNone) {
  const Pairs twice = {{"b3", "0123456789abcdef0123456789abcdef-0123456789abcdef-1"},
                       {"B3", "0123456789abcdef0123456789abcdef-0123456789abcdef-1"}};
  const std::uint64_t before = refused(Errc::b3_malformed);
  set_propagators(list_of("b3"));
  EXPECT_FALSE(extract(twice).parent().valid());
  EXPECT_EQ(refused(Errc::b3_malformed), before + 1);
}

TEST_F(PropagatorsTest, CountsWhatDoesNotFit) {
  std::array<std::byte, 40> room;
  wire::HeaderWriter writer{MutableByteView(room)};
  set_propagators(list_of("b3"));
  inject(Context(*parse_traceparent(kParent)), writer);
  EXPECT_EQ(text_of(writer.finish()), "{}");
  EXPECT_EQ(counter_snapshot().value("spanwire.trace.not_injected.propagator"), 1);
}

TEST_F(PropagatorsTest, NamesAreReadInAnyCase) {
  EXPECT_EQ(propagator_of("B3Multi"), Propagator::b3multi);
  EXPECT_EQ(propagator_of("xray"), std::nullopt);
  EXPECT_EQ(list_of("b3,tracecontext,b3").to_string(), "b3,tracecontext");
  EXPECT_EQ(Propagators().to_string(), "none");
  EXPECT_EQ(Propagators::w3c().to_string(), "tracecontext,baggage");
}

}  // namespace
}  // namespace spanwire::trace
