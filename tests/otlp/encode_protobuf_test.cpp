#include "spanwire/otlp/encode_protobuf.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "spanwire/base/random.hpp"
#include "spanwire/otlp/encode_json.hpp"
#include "spanwire/otlp/receiving.hpp"
#include "spanwire/trace/detail/record_layout.hpp"
#include "spanwire/trace/provider.hpp"
#include "spanwire/trace/tracer.hpp"
#include "tests/otlp/protobuf_as_json.hpp"

namespace spanwire::otlp {
namespace {

using nlohmann::json;
using trace::Context;
using trace::Span;
using trace::SpanContext;
using trace::SpanId;
using trace::StatusCode;
using trace::TraceId;

// What both encoders made of the batches so far.
struct Encoded {
  std::vector<std::string> protobuf;
  std::vector<std::string> json;
};

// What an array without elements has of them is for the writer to choose.
json without_empty_lists(json value) {
  if (value == json({{"values", json::array()}})) return json::object();
  for (json& part : value) {
    if (part.is_structured()) part = without_empty_lists(std::move(part));
  }
  return value;
}

class BothExporter final : public trace::Exporter {
 public:
  explicit BothExporter(std::shared_ptr<Encoded> encoded) : encoded_(std::move(encoded)) {}
  std::string_view name() const noexcept override { return "both"; }
  void start(const trace::Resource& resource) override {
    protobuf_.emplace(resource);
    json_.emplace(resource);
  }
  trace::ExportResult export_batch(std::span<const trace::SpanRecordView> spans,
                                   MonotonicTime) override {
    Buffer bytes;
    protobuf_->encode(spans, bytes);
    Buffer text;
    json_->encode(spans, text);
    encoded_->protobuf.emplace_back(text_of(bytes.view()));
    encoded_->json.emplace_back(text_of(text.view()));
    return {spans.size(), {}};
  }

 private:
  std::shared_ptr<Encoded> encoded_;
  std::optional<ProtobufEncoder> protobuf_;
  std::optional<JsonEncoder> json_;
};

class ProtobufEncoderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    trace::ProviderOptions options;
    options.resource.set("answer", std::int64_t{-42}).set("ratio", 0.5).set("flag", false);
    options.exporters.push_back(std::make_unique<BothExporter>(encoded_));
    trace::init(std::move(options));
  }
  void TearDown() override { trace::provider()->shutdown(std::chrono::seconds(30)); }

  static Span start(std::string_view name, const Context& parent = {},
                    const trace::SpanOptions& options = {}) {
    return trace::tracer("t", "1", "https://schema").start(parent, std::string_view(name), options);
  }
  // Flushes; both encoders must have said the same about every batch.
  void expect_equal() {
    trace::provider()->force_flush(std::chrono::seconds(30));
    ASSERT_FALSE(encoded_->protobuf.empty());
    for (std::size_t i = 0; i < encoded_->protobuf.size(); ++i) {
      const json expected = json::parse(encoded_->json[i]);
      EXPECT_EQ(testing::as_json(protozero::pbf_reader(encoded_->protobuf[i]), "Request"),
                expected);
      Buffer transcoded;
      ASSERT_TRUE(protobuf_to_json(bytes_of(encoded_->protobuf[i]), transcoded));
      EXPECT_EQ(without_empty_lists(json::parse(text_of(transcoded.view()))),
                without_empty_lists(expected));
    }
  }

  std::shared_ptr<Encoded> encoded_ = std::make_shared<Encoded>();
};

// Around the sizes at which a length takes a second byte: of a text, a value, a key and the whole.
TEST_F(ProtobufEncoderTest, LengthsOfAnySize) {
  for (std::size_t size = 90; size < 140; ++size) {
    Span span = start("lengths");
    span.set("key", std::string(size, 'v'));
    span.set(std::string_view(std::string(size, 'k')), "value");
    span.set(std::string_view(std::string(size, 'n')), -1).set("real", 0.5);
    span.add_event(std::string_view(std::string(size, 'e')), {{"key", std::string(size, 'v')}});
  }
  expect_equal();
}

// One ExportTraceServiceRequest, byte for byte: the smallest span that has everything it must have.
TEST(ProtobufEncoder, WritesTheGoldenVector) {
  trace::Resource resource;
  resource.set("service.name", std::string("demo"));
  const trace::Scope scope{"t", "", ""};
  trace::detail::RecordHeader header{};
  std::array<std::uint8_t, 16> trace_id{};
  std::array<std::uint8_t, 8> span_id{};
  for (std::uint8_t i = 0; i < 16; ++i) trace_id[i] = i;
  for (std::uint8_t i = 0; i < 8; ++i) span_id[i] = static_cast<std::uint8_t>(16 + i);
  header.trace_id = TraceId(trace_id);
  header.span_id = SpanId(span_id);
  header.kind = static_cast<std::uint8_t>(trace::SpanKind::server);
  header.status = static_cast<std::uint8_t>(StatusCode::error);
  header.flags = 1;
  header.start_ns = 1;
  header.end_ns = 2;
  header.scope = &scope;
  header.status_at = header.tracestate_at = trace::detail::kNoItem;
  alignas(8) std::array<std::byte, 16> items{};
  trace::detail::Item name{trace::detail::ItemTag::name, 0, 1, 16};
  std::memcpy(items.data(), &name, sizeof name);
  items[sizeof name] = std::byte{'a'};
  header.items_bytes = items.size();
  const trace::SpanRecordView view(&header, items.data(), 0);

  ProtobufEncoder encoder(resource);
  Buffer out;
  encoder.encode({&view, 1}, out);
  EXPECT_EQ(
      testing::hex_text(std::string(text_of(out.view()))),
      "0a600a180a160a0c736572766963652e6e616d6512060a0464656d6f"
      "12440a030a0174123d0a10000102030405060708090a0b0c0d0e0f"
      "120810111213141516172a016130023901000000000000004102000000000000007a021802850101010000");
}

TEST_F(ProtobufEncoderTest, SaysOfEveryFieldWhatJsonSays) {
  Random random(1);
  const SpanContext above(TraceId::generate(random), SpanId::generate(random), 1, true);
  const SpanContext linked(TraceId::generate(random), SpanId::generate(random), 3, false);
  const trace::Attribute why("why", "batch");
  const trace::Link link{linked, "v=1", {&why, 1}};
  trace::SpanOptions options;
  options.kind = trace::SpanKind::server;
  options.links = {&link, 1};
  Span span = start("name", Context().with_span(above, "vendor=x"), options);
  span.set("key", "value").add_event("event", {{"n", 1}}).add_event("bare");
  span.set_status(StatusCode::error, "it broke");
  span.end();
  trace::tracer("other").start({}, "root").end();
  start("again").end();
  expect_equal();
}

TEST_F(ProtobufEncoderTest, SaysOfEveryTypeOfValueWhatJsonSays) {
  const std::vector<std::string> texts = {"a", "", "c\"d"};
  const bool flags[] = {true, false};
  const std::vector<std::int64_t> integers = {1, -2, std::numeric_limits<std::int64_t>::max()};
  const std::vector<double> reals = {0.5, std::nan(""), -0.0};
  Span span = start("values");
  span.set("text", "x").set("nothing", "").set("yes", true).set("no", false);
  span.set("least", std::numeric_limits<std::int64_t>::min()).set("zero", 0).set("real", 1e300);
  span.set("infinite", -std::numeric_limits<double>::infinity()).set("nil", 0.0);
  span.set("texts", texts).set("flags", flags).set("integers", integers).set("reals", reals);
  span.set("none", std::vector<double>()).set("no texts", std::vector<std::string>());
  span.set("long", std::string(70'000, 'x'));
  span.end();
  expect_equal();
}

TEST_F(ProtobufEncoderTest, RepairsWhatIsNotUtf8AsJsonDoes) {
  Span span = start("bad \xFF name");
  span.set(std::string_view("k\xC0y"), std::string("\xED\xA0\x80"));
  span.set("many", std::vector<std::string>{"\x80", "fine", "\xE2\x82\xAC"});
  span.add_event(std::string_view("e\xFE"), {{"x", "\xF4\x90\x80\x80"}});
  span.set_status(StatusCode::error, std::string("\xC3"));
  span.end();
  expect_equal();
}

TEST_F(ProtobufEncoderTest, CountsWhatWasDropped) {
  Span span = start("dropped");
  for (int i = 0; i < 200; ++i) {
    span.set(std::string("key ") + std::to_string(i), i);
    span.add_event(std::string("event ") + std::to_string(i));
    const trace::Link link{span.context(), {}, {}};
    span.add_link(link);
  }
  span.end();
  expect_equal();
}

// Random spans, many in a batch, over several scopes.
TEST_F(ProtobufEncoderTest, SaysOfRandomSpansWhatJsonSays) {
  constexpr std::uint64_t kSeed = 20260802;
  SCOPED_TRACE(kSeed);
  Random random(kSeed);
  const auto text = [&random] {
    std::string bytes(random.below(40), '\0');
    for (char& c : bytes) c = static_cast<char>(random.below(256));
    return bytes;
  };
  for (int i = 0; i < 3000; ++i) {
    Span span = trace::tracer("scope " + std::to_string(random.below(3))).start({}, text());
    for (std::uint64_t n = random.below(6); n != 0; --n) {
      span.set(text() + "k", text()).set(text() + "i", static_cast<std::int64_t>(random.next()));
      span.set(text() + "r", random.unit());
    }
    for (std::uint64_t n = random.below(3); n != 0; --n) span.add_event(text(), {{"a", text()}});
    if (random.below(2) == 0) span.set_status(StatusCode::error, text());
    span.end();
  }
  expect_equal();
}

TEST(ProtobufEncoder, AnEmptyBatchIsNothing) {
  ProtobufEncoder encoder{trace::Resource()};
  Buffer out;
  encoder.encode({}, out);
  EXPECT_EQ(out.size(), 0u);
}

}  // namespace
}  // namespace spanwire::otlp
