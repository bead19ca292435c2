#include "spanwire/trace/carrier.hpp"

#include <gtest/gtest.h>

#include <array>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "spanwire/trace/context_counters.hpp"
#include "spanwire/trace/frames_carrier.hpp"
#include "spanwire/trace/grpc_carrier.hpp"
#include "spanwire/trace/nats_carrier.hpp"
#include "spanwire/trace/wire_carrier.hpp"
#include "tests/trace/every_carrier.hpp"

namespace spanwire::trace {
namespace {

constexpr std::string_view kParent = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01";

template <class Carrier>
void expect_extracted(const Carrier& carrier, const json& expected, const json& causes) {
  const Refusals before = Refusals::now();
  const Extracted extracted = extract(carrier);
  EXPECT_EQ(json(Refusals::now().since(before)), causes);
  EXPECT_TRUE(!extracted.parent().valid() || extracted.parent().remote());
  EXPECT_EQ(json(forwarded(extracted.context())), expected.is_null() ? json::object() : expected);
}

// One table, every carrier: what is extracted, what is counted, and what goes out again.
TEST(Carrier, AgreesWithTheVectorsOnEveryKind) {
  for (const json& vector : vectors("context.json")) {
    SCOPED_TRACE(text(vector, "name"));
    const json& expected = vector.at("expect");
    const json& causes = vector.at("refused");
    // Of a repeated name a block has the last value.
    const bool special = vector.contains("block");
    on_every_carrier(headers_of(vector), [&](const auto& carrier, bool in_block) {
      expect_extracted(carrier, in_block && special ? vector.at("block") : expected,
                       in_block && special ? json::array() : causes);
    });
  }
}

// The traceparent vectors, once more through a carrier: whatever is refused costs nothing else.
TEST(Carrier, KeepsOtherFieldsWhateverTheTraceparentIs) {
  for (const json& vector : vectors("traceparent.json")) {
    SCOPED_TRACE(text(vector, "name"));
    const Pairs headers = {{"traceparent", text(vector, "text")}, {"x-request-id", "kept"}};
    const Extracted extracted = extract(headers);
    EXPECT_EQ(extracted.parent().valid(), text(vector, "result") == "ok");
    EXPECT_EQ(extracted.texts().x_request_id, "kept");
  }
}

// Sampled and random bits arrive as they left; no other bit is ever written.
TEST(Carrier, NeverForgesAFlag) {
  for (unsigned flags = 0; flags < 256; ++flags) {
    char digits[3];
    std::snprintf(digits, sizeof digits, "%02x", flags);
    const Map in = {{"traceparent", std::string(kParent.substr(0, 53)) + digits}};
    Map out;
    inject(extract(in).context(), out);
    EXPECT_EQ(out.at("traceparent"),
              std::string(kParent.substr(0, 53)) + "0" + std::to_string(flags & 3));
  }
}

TEST(Carrier, WritesOnlyTheSampledBitWhenAsked) {
  const Map in = {{"traceparent", std::string(kParent.substr(0, 53)) + "03"}};
  Map out;
  InjectOptions options;
  options.sampled_bit_only = true;
  inject(extract(in).context(), out, options);
  EXPECT_EQ(out.at("traceparent"), kParent);
}

TEST(Carrier, KeepsBaggageBackWhenAsked) {
  Map out;
  InjectOptions options;
  options.baggage = false;
  inject(Context().with_baggage("k", "v").with_request_id("r"), out, options);
  EXPECT_EQ(out, (Map{{"request-id", "r"}}));
}

TEST(Carrier, ReplacesWhatStandsThereInAnyCase) {
  Pairs carrier = {{"TraceParent", "old"}, {"content-type", "x"}, {"TRACESTATE", "old=1"}};
  inject(Context(*parse_traceparent(kParent)), carrier);
  EXPECT_EQ(carrier, (Pairs{{"content-type", "x"}, {"traceparent", std::string(kParent)}}));
}

TEST(Carrier, WithoutASpanNoTraceparentIsWritten) {
  Map out;
  inject(Context().with_x_request_id("x"), out);
  EXPECT_EQ(out, (Map{{"x-request-id", "x"}}));
}

TEST(Carrier, WritesABlockByteForByte) {
  Buffer buffer;
  wire::HeaderWriter writer(buffer);
  const Map in = {{"traceparent", std::string(kParent)}, {"tracestate", "a=\"b\",c=d"}};
  inject(extract(in).context(), writer);
  EXPECT_EQ(text_of(writer.finish()),
            R"({"traceparent":"00-0123456789abcdef0123456789abcdef-0123456789abcdef-01",)"
            R"("tracestate":"a=\"b\",c=d"})");
}

TEST(Carrier, AMessageWithoutHeadersCarriesNothing) {
  const ByteView parts[] = {bytes_of("path")};
  FramesCarrier frames;
  EXPECT_EQ(frames.parse(parts, 1), Errc::wrong_part_count);
  EXPECT_FALSE(extract(frames).parent().valid());
  const ByteView damaged[] = {bytes_of("path"), bytes_of("{\"traceparent\":")};
  EXPECT_EQ(frames.parse(damaged, 1), Errc::truncated);
  EXPECT_FALSE(extract(frames).parent().valid());
}

TEST(Carrier, ANatsValueMayBeContinued) {
  const std::string block =
      "NATS/1.0\r\nTraceParent: " + std::string(kParent) + "\r\ntracestate: a=1,\r\n\t b=2\r\n\r\n";
  wire::NatsHeaders lines;
  ASSERT_EQ(lines.parse(bytes_of(block)), Errc::ok);
  const Extracted extracted = extract(lines);
  EXPECT_TRUE(extracted.parent().valid());
  EXPECT_EQ(extracted.texts().tracestate, "a=1, b=2");
}

TEST(Carrier, CountsWhatMetadataCannotHold) {
  ClientContext client;
  GrpcMetadataOut metadata(client);
  const std::uint64_t before = not_injected(Field::request_id);
  inject(Context().with_request_id("r\xC3\xA9"), metadata);
  EXPECT_EQ(not_injected(Field::request_id), before + 1);
  EXPECT_TRUE(client.metadata.empty());
}

TEST(Carrier, CountsWhatDoesNotFitIntoABlock) {
  std::array<std::byte, 100> room;
  wire::HeaderWriter writer{MutableByteView(room)};
  const std::uint64_t before = not_injected(Field::tracestate);
  const Context context =
      Context().with_span(*parse_traceparent(kParent), std::string("a=") + std::string(50, 'b'));
  inject(context, writer);
  EXPECT_EQ(not_injected(Field::tracestate), before + 1);
  EXPECT_EQ(text_of(writer.finish()), "{\"traceparent\":\"" + std::string(kParent) + "\"}");
}

TEST(Carrier, ViewsTheTextsOfTheCarrier) {
  const Map in = {
      {"traceparent", std::string(kParent)}, {"tracestate", " a=1 "}, {"baggage", "k=v"}};
  const Extracted extracted = extract(in);
  EXPECT_EQ(extracted.texts().tracestate.data(), in.at("tracestate").data() + 1);
  EXPECT_EQ(extracted.texts().baggage.data(), in.at("baggage").data());
}

TEST(Carrier, JoinedTextsOutliveAMove) {
  const Pairs in = {{"traceparent", std::string(kParent)},
                    {"tracestate", "a=1"},
                    {"tracestate", "b=2"},
                    {"baggage", "x=1,junk"},
                    {"baggage", "y=2"}};
  Extracted first = extract(in);
  const Extracted second = std::move(first);
  EXPECT_EQ(second.texts().tracestate, "a=1,b=2");
  EXPECT_EQ(second.texts().baggage, "x=1,y=2");
}

// ---- Trust

TEST(TrustRemote, DecidesWhatARemoteContextBecomes) {
  const Map in = {{"traceparent", std::string(kParent)},
                  {"tracestate", "a=1"},
                  {"baggage", "k=v"},
                  {"x-request-id", "x"}};
  const Extracted parent = extract(in, TrustRemote::parent);
  EXPECT_TRUE(parent.parent().valid());
  EXPECT_FALSE(parent.link().valid());
  EXPECT_EQ(parent.texts().tracestate, "a=1");

  const Extracted link = extract(in, TrustRemote::link);
  EXPECT_FALSE(link.parent().valid());
  EXPECT_EQ(link.link(), parent.parent());
  EXPECT_EQ(link.link_tracestate(), "a=1");
  EXPECT_EQ(link.texts().tracestate, "");
  EXPECT_EQ(link.texts().baggage, "k=v");

  const Extracted ignored = extract(in, TrustRemote::ignore);
  EXPECT_FALSE(ignored.parent().valid());
  EXPECT_FALSE(ignored.link().valid());
  EXPECT_EQ(ignored.link_tracestate(), "");
  EXPECT_EQ(ignored.texts().tracestate, "");
  EXPECT_EQ(ignored.texts().baggage, "");
  EXPECT_EQ(ignored.texts().x_request_id, "x");
}

}  // namespace
}  // namespace spanwire::trace
