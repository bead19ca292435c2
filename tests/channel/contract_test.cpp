#include "tests/channel/contract.hpp"

namespace spanwire::channel {
namespace {

TEST_P(ChannelContract, ACallGoesThereAndItsAnswerComesBack) {
  connect();
  EXPECT_EQ(client->state(), State::ready);
  CallLog call;
  ASSERT_TRUE(open(call, "echo", "hello"));
  ASSERT_TRUE(test.until([&] { return call.ended(); }));
  EXPECT_TRUE(call.ok());
  ASSERT_EQ(serving.calls.size(), 1u);
  EXPECT_EQ(serving.calls[0]->path, "echo");
  EXPECT_EQ(serving.calls[0]->headers, R"({"k":"v"})");
  EXPECT_EQ(serving.calls[0]->payload, "hello");
  EXPECT_EQ(call.payload, v2() ? "hello" : "");
  EXPECT_EQ(call.headers, v2() ? R"({"k":"v"})" : "");
  EXPECT_EQ(client->in_flight(), 0u);
  EXPECT_EQ(server->in_flight(), 0u);
}

TEST_P(ChannelContract, SaysWhoSpeaksWhat) {
  connect();
  CallLog call;
  ASSERT_TRUE(open(call, "echo"));
  ASSERT_TRUE(test.until([&] { return call.ended(); }));
  for (const ChannelInfo* info : {&client->info(), &server->info()}) {
    EXPECT_EQ(info->protocol, v2() ? "v2" : "v1");
    EXPECT_EQ(info->scheme, scheme_of(GetParam().way));
    EXPECT_FALSE(info->peer.empty());
  }
}

TEST_P(ChannelContract, PayloadsOfEverySizeArriveWhole) {
  connect();
  for (const std::size_t size : {0, 1, 4'095, 4'096, 4'097, 65'535, 65'536, 65'537, 131'072,
                                 262'145, 1'048'579, 5'000'000}) {
    CallLog call;
    const std::string payload = pattern(size);
    ASSERT_TRUE(open(call, "echo", payload)) << size;
    ASSERT_TRUE(test.until([&] { return call.ended(); })) << size;
    EXPECT_TRUE(call.ok()) << size;
    EXPECT_TRUE(serving.calls.back()->payload == payload) << size;
    EXPECT_TRUE(call.payload == (v2() ? payload : "")) << size;
    serving.calls.clear();
  }
}

TEST_P(ChannelContract, WhatIsTooLongIsRefusedAndNotSent) {
  wire::Limits limits;
  limits.payload_bytes_max = 100'000;
  limits.path_bytes_max = 100;
  limits.header_block_bytes_max = 100;
  connect(limits, limits);
  CallLog call;
  EXPECT_EQ(open(call, "keep", pattern(100'001)).error(), Errc::payload_too_long);
  EXPECT_EQ(open(call, std::string(101, 'p')).error(), Errc::path_too_long);
  EXPECT_EQ(open(call, "\xFF").error(), Errc::path_not_utf8);
  const std::string block = "{\"k\":\"" + std::string(100, 'v') + "\"}";
  RequestOut request;
  request.path = "keep";
  request.headers = bytes_of(block);
  test.in_turn([&] { EXPECT_EQ(client->open(request, call).error(), Errc::headers_too_long); });
  CallLog most;
  ASSERT_TRUE(open(most, "echo", pattern(100'000)));
  ASSERT_TRUE(test.until([&] { return most.ended(); }));
  EXPECT_TRUE(most.ok());
  EXPECT_EQ(serving.calls.size(), 1u);
  EXPECT_EQ(call.ends, 0);
}

TEST_P(ChannelContract, ManyCallsStartInTheirOrderAndEndOnce) {
  connect();
  constexpr std::size_t kCalls = 500;
  std::vector<CallLog> calls(kCalls);
  test.in_turn([&] {
    for (std::size_t i = 0; i < kCalls; ++i) {
      ASSERT_TRUE(open(calls[i], "echo", std::to_string(i)));
    }
  });
  ASSERT_TRUE(test.until([&] { return client->in_flight() == 0; }));
  ASSERT_EQ(serving.calls.size(), kCalls);
  for (std::size_t i = 0; i < kCalls; ++i) {
    EXPECT_TRUE(calls[i].ok()) << i;
    EXPECT_EQ(serving.calls[i]->payload, std::to_string(i));
  }
}

// v1 has two refusals; both say that the call was not started.
TEST_P(ChannelContract, ARefusalSaysThatNothingWasStarted) {
  connect();
  for (const int status : {8, 12, 14}) {
    CallLog call;
    ASSERT_TRUE(open(call, "refuse/" + std::to_string(status)));
    ASSERT_TRUE(test.until([&] { return call.ended(); }));
    EXPECT_EQ(call.ends, 1);
    EXPECT_EQ(call.status, v2() || status == 8 ? status : 14);
    EXPECT_TRUE(call.not_started);
    EXPECT_EQ(call.message == "not today", v2());
  }
  EXPECT_EQ(server->in_flight(), 0u);
}

// 16 MiB are more than any socket buffer or window takes at once, so what is behind waits.
TEST_P(ChannelContract, CancellingWhatWasNotSentSendsNothing) {
  connect();
  CallLog large;
  CallLog small;
  test.in_turn([&] {
    ASSERT_TRUE(open(large, "keep", pattern(16u << 20)));
    const Result<CallId> id = open(small, "keep");
    ASSERT_TRUE(id);
    EXPECT_EQ(client->in_flight(), 2u);
    EXPECT_TRUE(client->cancel(*id, Errc::cancelled));
    EXPECT_EQ(client->in_flight(), 1u);
  });
  ASSERT_TRUE(test.until([&] { return !serving.calls.empty(); }));
  test.settle();
  EXPECT_EQ(serving.calls.size(), 1u);
  EXPECT_EQ(small.ends, 0);
}

TEST_P(ChannelContract, CancellingWhatWasSentEndsOnceWithAnAnswer) {
  connect();
  CallLog call;
  CallId id = 0;
  ServedLog& served = open_kept(call, &id);
  if (!v2()) {
    EXPECT_TRUE(call.ok());
    return;
  }
  test.in_turn([&] { EXPECT_FALSE(client->cancel(id, Errc::deadline_exceeded)); });
  ASSERT_TRUE(test.until([&] { return served.cancelled.has_value(); }));
  EXPECT_EQ(served.cancelled, Errc::deadline_exceeded);
  EXPECT_EQ(call.ends, 0);
  answer(served);
  ASSERT_TRUE(test.until([&] { return server->in_flight() == 0 && client->in_flight() == 0; }));
  EXPECT_LE(call.ends, 1);
}

// The server vanishes with calls in every state.
TEST_P(ChannelContract, ALostConnectionEndsEveryCallOnceAndSaysHowFarItWas) {
  connect();
  std::vector<CallLog> kept(20);
  for (CallLog& call : kept) open_kept(call);
  CallLog large;
  CallLog unsent;
  test.in_turn([&] {
    ASSERT_TRUE(open(large, "keep", pattern(16u << 20)));
    ASSERT_TRUE(open(unsent, "keep"));
    server.reset();
  });
  ASSERT_TRUE(test.until([&] { return events.closed.has_value(); }));
  for (const CallLog& call : kept) {
    EXPECT_EQ(call.ends, 1);
    if (v2()) {
      EXPECT_TRUE(call.lost.has_value());
      EXPECT_EQ(call.progress, Progress::sent);
    }
  }
  EXPECT_EQ(large.ends, 1);
  EXPECT_EQ(unsent.ends, 1);
  EXPECT_EQ(unsent.progress, Progress::not_sent);
  EXPECT_EQ(client->in_flight(), 0u);
  EXPECT_EQ(client->state(), State::closed);
  CallLog late;
  EXPECT_EQ(open(late, "echo").error(), Errc::not_connected);
}

TEST_P(ChannelContract, AServerHearsOfEachCallThatItsClientTookAway) {
  connect();
  std::vector<CallLog> calls(10);
  for (CallLog& call : calls) open_kept(call);
  EXPECT_EQ(server->in_flight(), 10u);
  test.in_turn([&] { client.reset(); });
  ASSERT_TRUE(test.until([&] { return serving.closed.has_value(); }));
  for (const auto& call : serving.calls) EXPECT_TRUE(call->lost.has_value());
  EXPECT_EQ(server->in_flight(), 0u);
}

TEST_P(ChannelContract, CloseEndsTheCallsWithItsCause) {
  connect();
  CallLog call;
  ServedLog& served = open_kept(call);
  test.in_turn([&] { client->close(Errc::ping_timeout); });
  EXPECT_EQ(call.ends, 1);
  EXPECT_EQ(call.lost, v2() ? std::optional(Errc::ping_timeout) : std::nullopt);
  ASSERT_TRUE(test.until([&] { return events.closed && serving.closed; }));
  EXPECT_EQ(events.closed, Errc::ping_timeout);
  EXPECT_TRUE(served.lost.has_value());
  test.in_turn([&] { client->close(Errc::cancelled); });
}

TEST_P(ChannelContract, AClientDrainsByFinishingWhatItHas) {
  connect();
  CallLog call;
  ServedLog& served = open_kept(call);
  CallLog late;
  CallLog last;
  test.in_turn([&] {
    ASSERT_TRUE(open(last, "echo"));
    client->drain();
    EXPECT_EQ(open(late, "echo").error(), Errc::draining);
  });
  if (v2()) {
    ASSERT_TRUE(test.until([&] { return last.ended(); }));
    EXPECT_EQ(client->state(), State::draining);
    answer(served, "done");
  }
  ASSERT_TRUE(test.until([&] { return events.closed.has_value(); }));
  EXPECT_EQ(events.closed, Errc::shutting_down);
  EXPECT_TRUE(last.ok());
  EXPECT_TRUE(call.ok());
}

TEST_P(ChannelContract, AServerDrainsByFinishingWhatItHas) {
  connect();
  CallLog call;
  ServedLog& served = open_kept(call);
  test.in_turn([&] { server->drain(); });
  if (v2()) {
    ASSERT_TRUE(test.until([&] { return client->state() == State::draining; }));
  } else {
    CallLog late;
    ASSERT_TRUE(open(late, "echo"));
    ASSERT_TRUE(test.until([&] { return late.ended(); }));
    EXPECT_EQ(late.status, 14);
    EXPECT_TRUE(late.not_started);
    EXPECT_EQ(serving.refused, 1);
  }
  EXPECT_FALSE(serving.closed);
  answer(served, "done");
  ASSERT_TRUE(test.until([&] { return serving.closed && events.closed; }));
  EXPECT_EQ(serving.closed, Errc::shutting_down);
  EXPECT_TRUE(call.ok());
  EXPECT_EQ(serving.calls.size(), 1u);
}

TEST_P(ChannelContract, RefusesMoreCallsThanItMayHaveAndSaysWhenThereIsRoom) {
  wire::Limits limits;
  limits.streams_max = 3;
  connect(limits, limits);
  std::vector<CallLog> calls(3);
  CallLog more;
  test.in_turn([&] {
    for (CallLog& call : calls) ASSERT_TRUE(open(call, "echo"));
    EXPECT_EQ(open(more, "echo").error(), Errc::queue_full);
  });
  ASSERT_TRUE(test.until([&] { return events.free != 0; }));
  EXPECT_TRUE(open(more, "echo"));
  ASSERT_TRUE(test.until([&] { return client->in_flight() == 0; }));
  for (const CallLog& call : calls) EXPECT_TRUE(call.ok());
  EXPECT_TRUE(more.ok());
}

TEST_P(ChannelContract, MayBeClosedInTheMiddleOfItsEvents) {
  connect();
  std::vector<CallLog> calls(50);
  calls[7].at_end = [&] { client->close(Errc::cancelled); };
  test.in_turn([&] {
    for (CallLog& call : calls) ASSERT_TRUE(open(call, "echo"));
  });
  ASSERT_TRUE(test.until([&] { return events.closed.has_value(); }));
  for (const CallLog& call : calls) EXPECT_EQ(call.ends, 1);
}

TEST_P(ChannelContract, MayBeDestroyedInItsLastEvent) {
  connect();
  events.at_closed = [&] { client.reset(); };
  serving.at_closed = [&] { server.reset(); };
  CallLog call;
  open_kept(call);
  test.in_turn([&] { server->close(Errc::shutting_down); });
  ASSERT_TRUE(test.until([&] { return client == nullptr && server == nullptr; }));
  EXPECT_EQ(call.ends, 1);
}

TEST_P(ChannelContract, AnAnswerBehindTheEndOfTheConnectionIsIgnored) {
  connect();
  CallLog call;
  ServedLog& served = open_kept(call);
  test.in_turn([&] { client.reset(); });
  ASSERT_TRUE(test.until([&] { return serving.closed.has_value(); }));
  answer(served, "too late");
  EXPECT_EQ(server->in_flight(), 0u);
}

TEST_P(ChannelContract, OneWayCallsEndOnceTheyAreTaken) {
  connect();
  CallLog call;
  RequestOut request;
  request.path = "echo";
  request.payload = Slice::copy_of("news");
  request.one_way = true;
  test.in_turn([&] { ASSERT_TRUE(client->open(request, call)); });
  ASSERT_TRUE(test.until([&] { return call.ended() && !serving.calls.empty(); }));
  EXPECT_TRUE(call.ok());
  EXPECT_EQ(serving.calls[0]->payload, "news");
  ASSERT_TRUE(test.until([&] { return client->in_flight() == 0 && server->in_flight() == 0; }));
}

INSTANTIATE_TEST_SUITE_P(V2, ChannelContract, ::testing::ValuesIn(kV2Kinds), kind_name);
INSTANTIATE_TEST_SUITE_P(V1, ChannelContract, ::testing::ValuesIn(kV1Kinds), kind_name);

}  // namespace
}  // namespace spanwire::channel
