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
#include "tests/trace/vectors.hpp"

namespace spanwire::trace {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;
using Map = std::map<std::string, std::string>;
using MultiMap = std::multimap<std::string, std::string>;
using Fields = std::map<std::string, std::vector<std::string>>;
using nlohmann::json;

// As gRPC's: no std::string_view, and length() instead of size().
struct StringRef {
  std::string text;
  const char* data() const { return text.data(); }
  std::size_t length() const { return text.size(); }
  friend bool operator<(const StringRef& a, const StringRef& b) { return a.text < b.text; }
};
using Metadata = std::multimap<StringRef, StringRef>;
struct ClientContext {
  void AddMetadata(const std::string& key, const std::string& value) { metadata[key] = value; }
  Map metadata;
};

constexpr std::string_view kParent = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01";

Pairs headers_of(const json& vector) {
  Pairs headers;
  for (const json& header : vector.at("headers")) headers.emplace_back(header.at(0), header.at(1));
  return headers;
}

// Several fields whose names differ in case alone lose their order in containers that sort.
bool order_survives_sorting(const Pairs& headers) {
  Map names;
  for (const auto& [header, value] : headers) {
    Field field;
    if (!field_of(header, field)) continue;
    const auto [at, added] = names.emplace(name(field), header);
    if (!added && at->second != header) return false;
  }
  return true;
}

std::string block_of(const Pairs& headers) {
  std::string block = "{";
  for (const auto& [header, value] : headers) {
    if (block.size() > 1) block += ',';
    block += json(header).dump() + ":" + json(value).dump();
  }
  return block + "}";
}

// What goes out when nothing but the context is passed on, over a carrier of its own kind.
Map forwarded(const Context& context) {
  Pairs pairs;
  inject(context, pairs);
  const Map expected(pairs.begin(), pairs.end());
  EXPECT_EQ(pairs.size(), expected.size());

  Map map;
  inject(context, map);
  EXPECT_EQ(map, expected);
  MultiMap multi_map;
  inject(context, multi_map);
  EXPECT_EQ(Map(multi_map.begin(), multi_map.end()), expected);
  Fields fields;
  inject(context, fields);
  Map of_fields;
  for (const auto& [header, values] : fields) of_fields[header] = values.at(0);
  EXPECT_EQ(of_fields, expected);

  Buffer buffer;
  wire::HeaderWriter writer(buffer);
  inject(context, writer);
  const json block = json::parse(text_of(writer.finish()));
  EXPECT_EQ(block, json(expected));

  ClientContext client;
  GrpcMetadataOut metadata(client);
  inject(context, metadata);
  std::array<std::byte, 32768> room;
  wire::NatsHeaderWriter lines{MutableByteView(room)};
  inject(context, lines);
  wire::NatsHeaders nats;
  EXPECT_EQ(nats.parse(lines.finish()), Errc::ok);
  Map of_lines;
  for (const wire::NatsHeader& line : nats) of_lines[std::string(line.name)] = line.value;
  EXPECT_EQ(of_lines, expected);
  Map printable;  // what metadata can hold
  for (const auto& [header, value] : expected) {
    if (detail::is_metadata_value(value)) printable[header] = value;
  }
  EXPECT_EQ(client.metadata, printable);
  return expected;
}

// A block of NATS lines; empty if a value has what a line cannot hold.
std::string nats_block_of(const Pairs& headers) {
  std::string room(65536, '\0');
  wire::NatsHeaderWriter writer{
      MutableByteView(reinterpret_cast<std::byte*>(room.data()), room.size())};
  for (const auto& [header, value] : headers) {
    if (writer.add(header, value) != Errc::ok) return {};
  }
  return std::string(text_of(writer.finish()));
}

struct Refusals {
  std::map<std::string, std::uint64_t> counts;
  static Refusals now() {
    Refusals all;
    for (int code = 160; code <= 172; ++code) {
      const auto cause = static_cast<Errc>(code);
      all.counts[std::string(name(cause))] = refused(cause);
    }
    return all;
  }
  std::vector<std::string> since(const Refusals& before) const {
    std::vector<std::string> causes;
    for (const auto& [cause, count] : counts) {
      for (auto n = before.counts.at(cause); n < count; ++n) causes.push_back(cause);
    }
    return causes;
  }
};

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
    const Pairs headers = headers_of(vector);
    const json& expected = vector.at("expect");
    const json& causes = vector.at("refused");
    {
      SCOPED_TRACE("pairs");
      expect_extracted(headers, expected, causes);
    }
    if (order_survives_sorting(headers)) {
      SCOPED_TRACE("multimap and fields");
      MultiMap multi_map;
      Fields fields;
      for (const auto& [header, value] : headers) {
        multi_map.emplace(header, value);
        fields[header].push_back(value);
      }
      expect_extracted(multi_map, expected, causes);
      expect_extracted(fields, expected, causes);
    }
    Map map(headers.begin(), headers.end());
    if (map.size() == headers.size() && order_survives_sorting(headers)) {
      SCOPED_TRACE("map");
      expect_extracted(map, expected, causes);
    }
    if (const std::string nats = nats_block_of(headers); !nats.empty()) {
      SCOPED_TRACE("nats");
      wire::NatsHeaders lines;
      ASSERT_EQ(lines.parse(bytes_of(nats)), Errc::ok);
      expect_extracted(lines, expected, causes);
    }
    if (order_survives_sorting(headers)) {
      SCOPED_TRACE("grpc metadata");
      Metadata metadata;
      for (const auto& [header, value] : headers) {
        metadata.emplace(StringRef{header}, StringRef{value});
      }
      expect_extracted(GrpcMetadata(metadata), expected, causes);
    }
    SCOPED_TRACE("header block");
    const std::string block = block_of(headers);
    wire::HeaderList list;
    ASSERT_EQ(list.parse(bytes_of(block)), Errc::ok);
    // Of a repeated name a block has the last value.
    const bool special = vector.contains("block");
    expect_extracted(list, special ? vector.at("block") : expected,
                     special ? json::array() : causes);
    SCOPED_TRACE("frames");
    const ByteView parts[] = {bytes_of("llm/generate"), bytes_of(block), bytes_of("payload")};
    FramesCarrier frames;
    ASSERT_EQ(frames.parse(parts, 1), Errc::ok);
    expect_extracted(frames, special ? vector.at("block") : expected,
                     special ? json::array() : causes);
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
