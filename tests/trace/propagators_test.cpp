#include "spanwire/trace/propagators.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <string>
#include <string_view>

#include "spanwire/base/counters.hpp"
#include "spanwire/trace/tracer.hpp"
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
  EXPECT_EQ(injected("jaeger"), (Map{{"uber-trace-id", trace + ":" + span + ":0:01"},
                                     {"uberctx-k", "v"},
                                     {"x-request-id", "r"}}));
  EXPECT_EQ(injected("b3", "00-" + trace + "-" + span + "-00").at("b3"), trace + "-" + span + "-0");
  EXPECT_EQ(injected("baggage"), (Map{{"baggage", "k=v"}, {"x-request-id", "r"}}));
  EXPECT_EQ(injected("none"), (Map{{"x-request-id", "r"}}));
  EXPECT_EQ(injected("tracecontext,baggage,b3,b3multi,jaeger").size(), 10u);
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

// B3's debug state and Jaeger's flag come out as they came in, of any span of the trace; to W3C's
// readers they are one that is sampled.
TEST_F(PropagatorsTest, DebugIsPassedOn) {
  const std::string trace = "0123456789abcdef0123456789abcdef";
  const std::string span = "0123456789abcdef";
  const Map forms[] = {{{"b3", trace + "-" + span + "-d"}},
                       {{"x-b3-flags", "1"}, {"x-b3-spanid", span}, {"x-b3-traceid", trace}},
                       {{"uber-trace-id", trace + ":" + span + ":0:03"}}};
  const char* const names[] = {"b3", "b3multi", "jaeger"};
  for (const Map& in : forms) {
    set_propagators(list_of("b3,b3multi,jaeger"));
    const Context context = extract(in).context();
    for (std::size_t to = 0; to < std::size(forms); ++to) {
      set_propagators(list_of(names[to]));
      EXPECT_EQ(forwarded(context), forms[to]);
    }
    set_propagators(Propagators::w3c());
    EXPECT_EQ(forwarded(context).at("traceparent"), kParent);
    const SpanContext& caller = context.span();
    EXPECT_TRUE(caller.child(SpanId(caller.span_id()), true).debug());
    EXPECT_FALSE(caller.child(SpanId(caller.span_id()), false).debug());
    const Span below = tracer("t").start(context, "s");
    EXPECT_TRUE(below.context().debug());
  }
}

TEST_F(PropagatorsTest, NobodyDebugsByTraceparent) {
  const Context context(
      *parse_traceparent("00-0123456789abcdef0123456789abcdef-0123456789abcdef-ff"));
  set_propagators(list_of("b3"));
  EXPECT_EQ(forwarded(context).at("b3"), "0123456789abcdef0123456789abcdef-0123456789abcdef-1");
}

// A plus would be a blank to some readers, and names of fields have no case.
TEST_F(PropagatorsTest, BaggageIsJaegersToo) {
  const Context context =
      Context(*parse_traceparent(kParent)).with_baggage("User", "a+b c,d").with_baggage("id", "1");
  set_propagators(list_of("jaeger"));
  const Map out = forwarded(context);
  EXPECT_EQ(out.at("uberctx-user"), "a%2Bb%20c%2Cd");
  EXPECT_EQ(out.at("uberctx-id"), "1");
  EXPECT_EQ(out.size(), 3u);
  const Context back = extract(out).context();
  EXPECT_EQ(baggage_get(back.baggage(), "user"), "a+b c,d");
  EXPECT_EQ(baggage_get(back.baggage(), "id"), "1");
  set_propagators(list_of("b3"));
  EXPECT_EQ(forwarded(context).size(), 1u);
  EXPECT_EQ(extract(out).context().baggage(), "");
}

TEST_F(PropagatorsTest, JaegersBaggageStandsBehindW3cs) {
  const Pairs in = {{"uberctx-a", "jaeger"}, {"baggage", "b=1"}, {"baggage", "a=w3c"}};
  set_propagators(list_of("baggage,jaeger"));
  EXPECT_EQ(extract(in).context().baggage(), "b=1,a=w3c,a=jaeger");
  set_propagators(list_of("jaeger"));
  EXPECT_EQ(extract(in).context().baggage(), "a=jaeger");
  EXPECT_EQ(extract(in, TrustRemote::ignore).context().baggage(), "");
}

TEST_F(PropagatorsTest, JaegersBaggageHasTheLimitsOfAllBaggage) {
  Pairs in;
  for (int i = 0; i < 70; ++i) in.emplace_back("uberctx-k" + std::to_string(i), "v");
  const std::uint64_t before = refused(Errc::baggage_too_many_members);
  set_propagators(list_of("jaeger"));
  const Context context = extract(in).context();
  EXPECT_EQ(std::count(context.baggage().begin(), context.baggage().end(), '='), 64);
  EXPECT_EQ(refused(Errc::baggage_too_many_members), before + 1);

  const Pairs bad = {{"uberctx-", "v"}, {"uberctx-a b", "v"}, {"uberctx-ok", "v"}};
  const std::uint64_t malformed = refused(Errc::baggage_malformed);
  EXPECT_EQ(extract(bad).context().baggage(), "ok=v");
  EXPECT_EQ(refused(Errc::baggage_malformed), malformed + 1);

  const Pairs large = {{"uberctx-a", std::string(5000, 'x')},
                       {"uberctx-b", std::string(5000, 'x')},
                       {"uberctx-c", "v"}};
  const std::uint64_t too_long = refused(Errc::baggage_too_long);
  EXPECT_EQ(extract(large).context().baggage().size(), 5002u);
  EXPECT_EQ(refused(Errc::baggage_too_long), too_long + 1);
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
