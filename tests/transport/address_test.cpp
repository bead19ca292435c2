#include "spanwire/transport/address.hpp"

#include <gtest/gtest.h>

#include <string>

namespace spanwire::transport {
namespace {

struct GoodAddress {
  const char* text;
  Scheme scheme;
  const char* protocol;
  const char* host;
  std::uint16_t port;
  const char* written;
};

class AddressAccepts : public ::testing::TestWithParam<GoodAddress> {};

TEST_P(AddressAccepts, AndWritesItBack) {
  const Result<Address> address = parse_address(GetParam().text);
  ASSERT_TRUE(address) << address.error().message();
  EXPECT_EQ(address->scheme, GetParam().scheme);
  EXPECT_EQ(address->protocol, GetParam().protocol);
  EXPECT_EQ(address->host, GetParam().host);
  EXPECT_EQ(address->port, GetParam().port);
  EXPECT_EQ(to_string(*address), GetParam().written);
}

INSTANTIATE_TEST_SUITE_P(
    Table, AddressAccepts,
    ::testing::Values(
        GoodAddress{"tcp://127.0.0.1:7001", Scheme::tcp, "", "127.0.0.1", 7001,
                    "tcp://127.0.0.1:7001"},
        GoodAddress{"TCP://worker-1.example.com:1", Scheme::tcp, "", "worker-1.example.com", 1,
                    "tcp://worker-1.example.com:1"},
        GoodAddress{"tcp://worker_1:65535", Scheme::tcp, "", "worker_1", 65535,
                    "tcp://worker_1:65535"},
        GoodAddress{"tcp://*:0", Scheme::tcp, "", "*", 0, "tcp://*:0"},
        GoodAddress{"tcp://[::1]:7001", Scheme::tcp, "", "::1", 7001, "tcp://[::1]:7001"},
        GoodAddress{"tcp://[fe80::1%eth0]:80", Scheme::tcp, "", "fe80::1%eth0", 80,
                    "tcp://[fe80::1%eth0]:80"},
        GoodAddress{"dynamo+tcp://10.0.0.7:9000", Scheme::tcp, "dynamo", "10.0.0.7", 9000,
                    "dynamo+tcp://10.0.0.7:9000"},
        GoodAddress{"unix:///run/worker.sock", Scheme::unix_socket, "", "/run/worker.sock", 0,
                    "unix:///run/worker.sock"},
        GoodAddress{"memory://a name/of:anything", Scheme::memory, "", "a name/of:anything", 0,
                    "memory://a name/of:anything"},
        GoodAddress{"ZMQ+tcp://*:7002", Scheme::zmq_tcp, "", "*", 7002, "zmq+tcp://*:7002"},
        GoodAddress{"zmq+tcp://[::1]:0", Scheme::zmq_tcp, "", "::1", 0, "zmq+tcp://[::1]:0"},
        GoodAddress{"zmq+ipc:///run/worker.ipc", Scheme::zmq_ipc, "", "/run/worker.ipc", 0,
                    "zmq+ipc:///run/worker.ipc"},
        GoodAddress{"zmq+inproc://a name", Scheme::zmq_inproc, "", "a name", 0,
                    "zmq+inproc://a name"},
        GoodAddress{"naive+zmq+tcp://worker:7002", Scheme::zmq_tcp, "naive", "worker", 7002,
                    "naive+zmq+tcp://worker:7002"},
        GoodAddress{"naive+zmq+ipc:///x", Scheme::zmq_ipc, "naive", "/x", 0,
                    "naive+zmq+ipc:///x"}));

struct BadAddress {
  std::string text;
  const char* why;
};

class AddressRefuses : public ::testing::TestWithParam<BadAddress> {};

TEST_P(AddressRefuses, WithTheTextAndTheReason) {
  const Result<Address> address = parse_address(GetParam().text);
  ASSERT_FALSE(address);
  EXPECT_EQ(address.error().code(), Errc::bad_address);
  EXPECT_NE(address.error().detail().find(GetParam().text), std::string_view::npos);
  EXPECT_NE(address.error().detail().find(GetParam().why), std::string_view::npos)
      << address.error().detail();
}

INSTANTIATE_TEST_SUITE_P(
    Table, AddressRefuses,
    ::testing::Values(BadAddress{"", "expected tcp://HOST:PORT"},
                      BadAddress{"10.0.0.7:7001", "expected tcp://HOST:PORT"},
                      BadAddress{"http://x:1", "expected tcp://HOST:PORT"},
                      BadAddress{"dynamo+unix:///x", "expected tcp://HOST:PORT"},
                      BadAddress{"grpc+tcp://x:1", "expected tcp://HOST:PORT"},
                      BadAddress{"tcp://10.0.0.7", "the port is missing"},
                      BadAddress{"tcp://10.0.0.7:", "the port is missing"},
                      BadAddress{"tcp://10.0.0.7:port", "the port is missing"},
                      BadAddress{"tcp://10.0.0.7:65536", "not a number of 0 to 65535"},
                      BadAddress{"tcp://10.0.0.7:99999999999999999999",
                                 "not a number of 0 to 65535"},
                      BadAddress{"tcp://10.0.0.7:-1", "the port is missing"},
                      BadAddress{"tcp://10.0.0.7:70x", "not a number of 0 to 65535"},
                      BadAddress{"tcp://10.0.0.7:7001/", "nothing may follow the port"},
                      BadAddress{"tcp://:7001", "the host is missing"},
                      BadAddress{"tcp://::1:7001", "written in brackets"},
                      BadAddress{"tcp://[::1:7001", "bracket is not closed"},
                      BadAddress{"tcp://[::1]", "the port is missing"},
                      BadAddress{"tcp://[::1]7001", "the port is missing"},
                      BadAddress{"tcp://[worker]:7001", "not an IPv6 address"},
                      BadAddress{"tcp://[fe80::1%]:7001", "not an IPv6 address"},
                      BadAddress{"tcp://a b:7001", "no host name has"},
                      BadAddress{"tcp://user@host:7001", "no host name has"},
                      BadAddress{"tcp://" + std::string(254, 'h') + ":1", "longer than 253"},
                      BadAddress{"unix://run/x", "not absolute"},
                      BadAddress{"unix:///", "names no file"},
                      BadAddress{"unix:///" + std::string(107, 'p'), "longer than the 107"},
                      BadAddress{"memory://", "the name is missing"},
                      BadAddress{"zmq://x:1", "expected tcp://HOST:PORT"},
                      BadAddress{"dynamo+zmq+tcp://x:1", "expected tcp://HOST:PORT"},
                      BadAddress{"naive+tcp://x:1", "expected tcp://HOST:PORT"},
                      BadAddress{"naive+zmq+inproc://x", "expected tcp://HOST:PORT"},
                      BadAddress{"zmq+tcp://x", "the port is missing"},
                      BadAddress{"zmq+ipc://run/x", "not absolute"},
                      BadAddress{"zmq+ipc:///" + std::string(107, 'p'), "longer than the 107"},
                      BadAddress{"zmq+inproc://", "the name is missing"}));

}  // namespace
}  // namespace spanwire::transport
