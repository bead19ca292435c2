// What the channel contract needs: channels of every kind, both ends on one loop.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "spanwire/channel/accept.hpp"
#include "spanwire/channel/channel.hpp"
#include "spanwire/channel/v1.hpp"
#include "spanwire/channel/v2.hpp"
#include "spanwire/transport/dial.hpp"
#include "spanwire/transport/listen.hpp"
#include "spanwire/transport/memory_link.hpp"
#include "tests/channel/recorders.hpp"
#include "tests/support/leak_check.hpp"
#include "tests/support/test_loop.hpp"

namespace spanwire {

// So that a failed expectation names the code.
inline void PrintTo(Errc code, std::ostream* out) { *out << name(code); }

namespace channel {

enum class Protocol { v1, v2 };
enum class Way { memory, multipart, tcp, zmq_tcp, zmq_ipc, zmq_inproc };

inline const char* scheme_of(Way way) noexcept {
  switch (way) {
    case Way::tcp:
      return "tcp";
    case Way::zmq_tcp:
      return "zmq+tcp";
    case Way::zmq_ipc:
      return "zmq+ipc";
    case Way::zmq_inproc:
      return "zmq+inproc";
    case Way::memory:
    case Way::multipart:
      break;
  }
  return "memory";
}

struct Kind {
  const char* name;
  Protocol protocol;
  Way way;
  bool accepted;  // the server finds the protocol out
};

inline constexpr Kind kV2Kinds[] = {
    {"v2_memory", Protocol::v2, Way::memory, false},
    {"v2_multipart", Protocol::v2, Way::multipart, false},
    {"v2_tcp", Protocol::v2, Way::tcp, false},
    {"v2_accepted_tcp", Protocol::v2, Way::tcp, true},
    {"v2_accepted_memory", Protocol::v2, Way::memory, true},
    {"v2_zmq_tcp", Protocol::v2, Way::zmq_tcp, true},
    {"v2_zmq_ipc", Protocol::v2, Way::zmq_ipc, true},
    {"v2_zmq_inproc", Protocol::v2, Way::zmq_inproc, true},
};
inline constexpr Kind kV1Kinds[] = {
    {"v1_memory", Protocol::v1, Way::memory, false},
    {"v1_tcp", Protocol::v1, Way::tcp, false},
    {"v1_accepted_tcp", Protocol::v1, Way::tcp, true},
};
inline std::string kind_name(const ::testing::TestParamInfo<Kind>& kind) { return kind.param.name; }

inline void PrintTo(const Kind& kind, std::ostream* out) { *out << kind.name; }

class ChannelContract : public ::testing::TestWithParam<Kind> {
 protected:
  bool v2() const { return GetParam().protocol == Protocol::v2; }

  void connect(const wire::Limits& client_limits = {}, const wire::Limits& server_limits = {}) {
    transport::MemoryLinks links = make_links();
    test.in_turn([&] {
      client = make_client(std::move(links.first), client_limits);
      server = make_server(std::move(links.second), server_limits);
      client->start(events);
      server->start(serving);
    });
    ASSERT_TRUE(test.until([&] { return events.ready == 1; }));
  }

  Result<CallId> open(CallLog& call, std::string_view path, std::string_view payload = {},
                      bool stream = false) {
    RequestOut request;
    request.path = path;
    request.headers = bytes_of(R"({"k":"v"})");
    request.payload = Slice::copy_of(payload);
    request.stream = stream;
    request.end = !stream;
    Result<CallId> id = fail(Errc::cancelled);
    test.in_turn([&] { id = client->open(request, call); });
    return id;
  }

  // A call that its server has and does not answer.  Over v1 its caller has been told already.
  ServedLog& open_kept(CallLog& call, CallId* id = nullptr, bool stream = false) {
    const std::size_t before = serving.calls.size();
    const Result<CallId> opened = open(call, "keep", "kept", stream);
    EXPECT_TRUE(opened) << opened.error().message();
    if (opened && id != nullptr) *id = *opened;
    test.until([&] { return serving.calls.size() > before && (v2() || call.ended()); });
    return *serving.calls.back();
  }

  void answer(const ServedLog& call, std::string_view payload = {}) {
    ReplyOut reply;
    reply.payload = Slice::copy_of(payload);
    test.in_turn([&] { server->reply(call.id, reply); });
  }

  testing::LeakCheck leaks;
  testing::TestLoop test;
  TcpPair pair{test};
  ClientLog events;
  ServerLog serving;
  std::unique_ptr<ClientChannel> client;
  std::unique_ptr<ServerChannel> server;

 private:
  transport::MemoryLinks make_links() {
    transport::MemoryOptions options;
    switch (GetParam().way) {
      case Way::tcp:
        return pair.make();
      case Way::zmq_tcp:
        return pair.make_at("zmq+tcp://127.0.0.1:0");
      case Way::zmq_ipc:
        return pair.make_at("zmq+ipc:///tmp/spanwire-channel-" + std::to_string(::getpid()));
      case Way::zmq_inproc:
        return pair.make_at("zmq+inproc://channel contract");
      case Way::multipart:
        options.mode = transport::LinkMode::multipart;
        break;
      case Way::memory:
        break;
    }
    return transport::make_memory_links(test.loop(), test.loop(), options);
  }

  std::unique_ptr<ClientChannel> make_client(std::unique_ptr<transport::Link> link,
                                             const wire::Limits& limits) {
    if (v2()) {
      V2Options options;
      options.limits = limits;
      return make_v2_client(std::move(link), test.loop(), options);
    }
    V1Options options;
    options.limits = limits;
    options.in_flight_max = std::min<std::size_t>(kV1InFlightMax, limits.streams_max);
    return make_v1_client(std::move(link), test.loop(), options);
  }

  std::unique_ptr<ServerChannel> make_server(std::unique_ptr<transport::Link> link,
                                             const wire::Limits& limits) {
    const AcceptOptions options(limits);
    if (GetParam().accepted) return accept_channel(std::move(link), test.loop(), options);
    if (v2()) return make_v2_server(std::move(link), test.loop(), options.v2);
    return make_v1_server(std::move(link), test.loop(), options.v1);
  }
};

}  // namespace channel
}  // namespace spanwire
