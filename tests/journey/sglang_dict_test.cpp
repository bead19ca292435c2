#include "spanwire/journey/sglang_dict.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "spanwire/base/counters.hpp"
#include "spanwire/journey/by_id.hpp"
#include "spanwire/trace/traceparent.hpp"
#include "tests/journey/fixture.hpp"

namespace spanwire::journey {
namespace {

constexpr const char* kParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const std::string kRoot = std::string(R"("root_span": {"traceparent": ")") + kParent + R"("})";

struct Good {
  const char* name;
  std::string json;
  std::string previous;  // trace id and span id; empty for none
};
const Good kGood[] = {
    {"no previous slice", "{" + kRoot + R"(, "prev_span": "None"})", ""},
    {"no word of one", "{" + kRoot + "}", ""},
    {"ids of 64 bits", "{" + kRoot + R"(, "prev_span": {"span_id": 255, "trace_id": 1}})",
     "0000000000000000000000000000000100000000000000ff"},
    {"ids as large as they may be",
     "{" + kRoot + R"(, "prev_span": {"span_id": 18446744073709551615,)" +
         R"( "trace_id": 340282366920938463463374607431768211455}})",
     "ffffffffffffffffffffffffffffffffffffffffffffffff"},
    {"ids as text", "{" + kRoot + R"(, "prev_span": {"span_id": "255", "trace_id": "256"}})",
     "0000000000000000000000000000010000000000000000ff"},
    {"the newer generation's state",
     std::string(R"({"tracing_enable": true, "rid": "r", "bootstrap_room": 5, "trace_level": 3,)") +
         R"("thread_context": null, "root_span": null, "root_span_context": {"traceparent": ")" +
         kParent + R"("}, "last_span_context": {"span_id": 2, "trace_id": 3}})",
     "000000000000000000000000000000030000000000000002"},
    {"other members", "{" + kRoot + R"(, "more": [1, {"traceparent": "x"}, [2]], "and": {"a": 1}})",
     ""},
};

TEST(SglangDict, ReadsWhatSglangWrites) {
  for (const Good& good : kGood) {
    SCOPED_TRACE(good.name);
    const Result<PropagateContext> context = from_json(good.json);
    ASSERT_TRUE(context.has_value()) << context.error().message();
    EXPECT_EQ(context->request.span(), *trace::parse_traceparent(kParent));
    const trace::SpanContext& previous = context->previous;
    EXPECT_EQ(
        previous.valid() ? previous.trace_id().hex().str() + previous.span_id().hex().str() : "",
        good.previous);
    const Result<PropagateContext> packed = from_msgpack(to_msgpack(*context));
    ASSERT_TRUE(packed.has_value()) << packed.error().message();
    EXPECT_EQ(packed->request.span(), context->request.span());
    EXPECT_EQ(packed->previous, context->previous);
    EXPECT_EQ(from_json(to_json(*context))->previous, context->previous);
  }
}

struct Bad {
  const char* name;
  std::string json;
  Errc expected;
};
const Bad kBad[] = {
    {"nothing", "", Errc::bad_propagate_context},
    {"no JSON", "{", Errc::bad_propagate_context},
    {"no object", "[1]", Errc::bad_propagate_context},
    {"a dict in an array", R"([{"tracing_enable": true, )" + kRoot + "}]",
     Errc::bad_propagate_context},
    {"a number", "1", Errc::bad_propagate_context},
    {"an empty dict", "{}", Errc::not_traced},
    {"tracing is off", R"({"tracing_enable": false, )" + kRoot + "}", Errc::not_traced},
    {"no traceparent", R"({"root_span": {}, "prev_span": "None"})", Errc::not_traced},
    {"a bad traceparent", R"({"root_span": {"traceparent": "00-x"}})", Errc::not_traced},
    {"a negative id", "{" + kRoot + R"(, "prev_span": {"span_id": -1, "trace_id": 1}})",
     Errc::bad_number},
    {"a fraction", "{" + kRoot + R"(, "prev_span": {"span_id": 1.5, "trace_id": 1}})",
     Errc::bad_number},
    {"an exponent", "{" + kRoot + R"(, "prev_span": {"span_id": 1e3, "trace_id": 1}})",
     Errc::bad_number},
    {"a text that is no number", "{" + kRoot + R"(, "prev_span": {"span_id": "x", "trace_id": 1}})",
     Errc::bad_number},
    {"a span id of 65 bits",
     "{" + kRoot + R"(, "prev_span": {"span_id": 18446744073709551616, "trace_id": 1}})",
     Errc::bad_number},
    {"a trace id of 129 bits",
     "{" + kRoot +
         R"(, "prev_span": {"span_id": 1, "trace_id": 340282366920938463463374607431768211456}})",
     Errc::bad_number},
    {"no span id", "{" + kRoot + R"(, "prev_span": {"trace_id": 1}})", Errc::span_id_zero},
    {"no trace id", "{" + kRoot + R"(, "prev_span": {"span_id": 1}})", Errc::trace_id_zero},
    {"nested too deep", "{" + kRoot + R"(, "x": [[[[[1]]]]]})", Errc::bad_propagate_context},
    {"too long", std::string(kDictBytesMax + 1, ' '), Errc::headers_too_long},
};

TEST(SglangDict, RefusesWithTheRightError) {
  for (const Bad& bad : kBad) {
    SCOPED_TRACE(bad.name);
    const bool untraced = bad.expected == Errc::not_traced;
    const Errc kind = untraced ? bad.expected : Errc::bad_propagate_context;
    const std::int64_t before = misuse_count(kind);
    const Result<PropagateContext> context = from_json(bad.json);
    ASSERT_FALSE(context.has_value());
    EXPECT_EQ(name(context.error().code()), name(bad.expected));
    EXPECT_EQ(misuse_count(kind), before + 1);
  }
}

TEST(SglangDict, TheNewerGenerationsStateIsWrittenAndReadBack) {
  SglangState about;
  about.rid = "quote \" and \xff";
  for (const Good& good : kGood) {
    SCOPED_TRACE(good.name);
    const PropagateContext context = *from_json(good.json);
    const Result<PropagateContext> read = from_json(to_state_json(context, about));
    ASSERT_TRUE(read.has_value()) << read.error().message();
    EXPECT_EQ(read->request.span(), context.request.span());
    EXPECT_EQ(read->previous, context.previous);
  }
  EXPECT_EQ(to_state_json({}, about), R"({"tracing_enable": false})");
}

TEST(SglangDict, EveryPrefixOfMessagePackIsRefused) {
  const std::vector<std::byte> whole = to_msgpack(*from_json(kGood[2].json));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(from_msgpack(ByteView(whole.data(), size)).has_value()) << size;
  }
}

TEST(SglangDict, RoomsTravelInBase64) {
  const PropagateContext context = *from_json(kGood[2].json);
  const std::vector<RoomContext> rooms = {{"17", context}, {"18", PropagateContext()}};
  const Result<std::vector<RoomContext>> read = from_base64(to_base64(rooms));
  ASSERT_TRUE(read.has_value());
  ASSERT_EQ(read->size(), 1u) << "a room without a context is left out";
  EXPECT_EQ(read->at(0).room, "17");
  EXPECT_EQ(read->at(0).context.previous, context.previous);
  for (const char* bad : {"x", "xx=x", "====", "eyI=e", "abc\n"}) {
    EXPECT_EQ(from_base64(bad).error().code(), Errc::bad_escape) << bad;
  }
  EXPECT_TRUE(from_base64("e30=")->empty());
  // {"17":[{"tracing_enable":true}]}: no dict where one should be.
  EXPECT_TRUE(from_base64("eyIxNyI6W3sidHJhY2luZ19lbmFibGUiOnRydWV9XX0=")->empty());
}

// Run by sglang_dict_test.py: reads a form from the folder, writes all of them there.
TEST(SglangDict, DISABLED_Exchange) {
  const std::string folder = std::getenv("JOURNEY_EXCHANGE");
  const auto read = [&](const char* name) {
    std::ifstream file(folder + "/" + name, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  const auto write = [&](const std::string& name, std::string_view text) {
    std::ofstream(folder + "/" + name, std::ios::binary) << text;
  };
  const Result<PropagateContext> of_json = from_json(read("in.json"));
  ASSERT_TRUE(of_json.has_value()) << of_json.error().message();
  const Result<PropagateContext> of_msgpack = from_msgpack(bytes_of(read("in.msgpack")));
  ASSERT_TRUE(of_msgpack.has_value()) << of_msgpack.error().message();
  const Result<std::vector<RoomContext>> rooms = from_base64(read("in.base64"));
  ASSERT_TRUE(rooms.has_value()) << rooms.error().message();
  write("out.json", to_json(*of_json));
  write("out.msgpack", spanwire::text_of(to_msgpack(*of_msgpack)));
  write("out.base64", to_base64(*rooms));
  SglangState about;
  about.rid = "r";
  about.bootstrap_room = 17;
  about.start_time_ns = 1'700'000'000'000'000'000;
  about.module = "request";
  write("out.state", to_state_json(*of_json, about));
  write("out.text", to_text(*of_json).view());
}

// ---- Bootstrap rooms: prefill and decode of one request meet under its room.

using RoomsTest = JourneyTest;

TEST_F(RoomsTest, TheNodesOfARoomShareItsSpan) {
  start();
  // The router: the id of a request is its room.
  by_id::start({.rid = "4242", .bootstrap_room = 4242, .role = "router"});
  by_id::slice_start("route", "4242");
  const std::string_view rooms[] = {"4242", "unknown"};
  const std::string header = by_id::remote_contexts(rooms);
  by_id::slice_end("route", "4242");
  // Both nodes, here in one process.
  ASSERT_TRUE(by_id::set_remote_contexts(header).has_value());
  by_id::start({.rid = "p", .bootstrap_room = 4242, .role = "prefill"});
  by_id::slice_start("prefill_forward", "p");
  by_id::slice_end("prefill_forward", "p");
  by_id::finish("p");
  by_id::finish("4242");
  const SpanData room = span("Bootstrap Room 0x1092");
  const SpanData router = span("router Req 4242");
  const SpanData prefill = span("prefill Req p");
  EXPECT_TRUE(room.parent_span_id.is_zero());
  EXPECT_EQ(text_of(room, "bootstrap_room"), "0x1092");
  EXPECT_EQ(router.parent_span_id, room.context.span_id());
  EXPECT_EQ(prefill.parent_span_id, room.context.span_id());
  EXPECT_TRUE(prefill.parent_remote);
  ASSERT_EQ(span("prefill_forward").links.size(), 1u);
  EXPECT_EQ(span("prefill_forward").links[0].context.span_id(), span("route").context.span_id());
  EXPECT_EQ(open_spans(), 0);
}

TEST_F(RoomsTest, TheFirstContextOfARoomCountsAndRoomZeroIsNone) {
  start();
  const PropagateContext first = *from_json(kGood[0].json);
  PropagateContext second = first;
  second.request = trace::Context(
      *trace::parse_traceparent("00-11111111111111111111111111111111-2222222222222222-01"));
  for (const PropagateContext& context : {first, second}) {
    const std::vector<RoomContext> rooms = {{"7", context}, {"0", context}};
    ASSERT_TRUE(by_id::set_remote_contexts(to_base64(rooms)).has_value());
  }
  by_id::start({.rid = "seven", .bootstrap_room = 7});
  by_id::start({.rid = "zero", .bootstrap_room = 0});
  by_id::finish("seven");
  by_id::finish("zero");
  EXPECT_EQ(span(" Req seven").parent_span_id, first.request.span().span_id());
  EXPECT_TRUE(span(" Req zero").parent_span_id.is_zero());
  // Gone with its request: the next one has a room of its own.
  by_id::start({.rid = "again", .bootstrap_room = 7});
  by_id::finish("again");
  EXPECT_EQ(span(" Req again").parent_span_id, span("Bootstrap Room 0x7").context.span_id());
}

// A room that nobody came to is not there for a later request that happens to get its number.
TEST_F(RoomsTest, AreForgottenWhenTheirRequestDoesNotCome) {
  start();
  const auto dropped = [] { return counter_snapshot().value("spanwire.journey.rooms_dropped"); };
  const std::int64_t before = dropped();
  const PropagateContext context = *from_json(kGood[0].json);
  const std::vector<RoomContext> rooms = {{"7", context}, {"8", context}};
  ASSERT_TRUE(by_id::set_remote_contexts(to_base64(rooms)).has_value());
  by_id::start({.rid = "eight", .bootstrap_room = 8});
  clock().advance(std::chrono::seconds(299));
  sweep();
  EXPECT_EQ(dropped(), before);
  by_id::slice_start("still at work", "eight");
  clock().advance(std::chrono::seconds(2));
  sweep();
  EXPECT_EQ(dropped(), before + 1);
  by_id::start({.rid = "seven", .bootstrap_room = 7});
  by_id::finish("seven");
  EXPECT_EQ(span(" Req seven").parent_span_id, span("Bootstrap Room 0x7").context.span_id());
  by_id::slice_end("still at work", "eight");
  by_id::finish("eight");
}

TEST_F(RoomsTest, WithoutTracingThereIsNothingToSend) {
  const std::string_view rooms[] = {"1"};
  EXPECT_EQ(by_id::remote_contexts(rooms), "");
  EXPECT_TRUE(by_id::set_remote_contexts("").has_value());
  EXPECT_TRUE(by_id::set_remote_contexts("None").has_value());
  start();
  EXPECT_EQ(by_id::remote_contexts(rooms), "e30=") << "of a room that is not known: {}";
}

}  // namespace
}  // namespace spanwire::journey
