// The listener over real sockets: scrapes, garbage, clients that are slow or too many, forks.
#include "spanwire/admin/metrics_listener.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <stdexcept>
#include <string>
#include <vector>

#include "spanwire/base/counters.hpp"
#include "spanwire/trace/provider.hpp"
#include "spanwire/trace/tracer.hpp"
#include "tests/support/fork.hpp"
#include "tests/support/leak_check.hpp"
#include "tests/support/log_capture.hpp"

namespace spanwire::admin {
namespace {

using namespace std::chrono_literals;

constinit NamedCounter scraped("test.admin.scraped");

sockaddr_in loopback_of(const std::string& address) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port =
      htons(static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
  ::inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
  return to;
}

// A client's socket.
class Client {
 public:
  explicit Client(const std::string& address) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    const sockaddr_in to = loopback_of(address);
    ::connect(socket_, reinterpret_cast<const sockaddr*>(&to), sizeof to);
  }
  ~Client() { ::close(socket_); }
  Client(const Client&) = delete;

  void send(std::string_view text) {
    while (!text.empty()) {
      const ssize_t sent = ::send(socket_, text.data(), text.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      text.remove_prefix(static_cast<std::size_t>(sent));
    }
  }
  void end() { ::shutdown(socket_, SHUT_WR); }
  // Until the server closes.
  std::string receive() {
    std::string all;
    char block[4096];
    for (;;) {
      const ssize_t got = ::recv(socket_, block, sizeof block, 0);
      if (got <= 0) return all;
      all.append(block, static_cast<std::size_t>(got));
    }
  }

 private:
  int socket_;
};

// Nobody listens there; one who would connect could meet another who got the port since.
bool is_free(const std::string& address) {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int reuse = 1;  // beside connections that are not quite over
  ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof reuse);
  const sockaddr_in at = loopback_of(address);
  const bool bound = ::bind(socket, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0;
  ::close(socket);
  return bound;
}

class Listener : public ::testing::Test {
 protected:
  MetricsListener& start(ListenerOptions options = {}) {
    options.address = "127.0.0.1:0";
    Result<std::unique_ptr<MetricsListener>> started = MetricsListener::start(std::move(options));
    EXPECT_TRUE(started) << started.error().message();
    listener_ = std::move(*started);
    return *listener_;
  }
  std::string ask(std::string_view request) {
    Client client(listener_->address());
    client.send(request);
    return client.receive();
  }
  static std::int64_t value(std::string_view name) { return counter_snapshot().value(name); }
  static std::string status_of(const std::string& answer) {
    return answer.substr(0, answer.find("\r\n"));
  }

  testing::LeakCheck leaks_;
  std::unique_ptr<MetricsListener> listener_;
};

TEST_F(Listener, AnswersAScrapeInTheFormatThatIsAskedFor) {
  start();
  scraped.add(7);
  const std::string plain = ask("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(status_of(plain), "HTTP/1.1 200 OK");
  EXPECT_NE(plain.find("Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"),
            std::string::npos);
  EXPECT_NE(plain.find("\ntest_admin_scraped 7\n"), std::string::npos) << plain;
  const std::size_t body = plain.find("\r\n\r\n") + 4;
  EXPECT_NE(plain.find("Content-Length: " + std::to_string(plain.size() - body) + "\r\n"),
            std::string::npos);
  const std::string open =
      ask("GET /metrics HTTP/1.1\r\nAccept: application/openmetrics-text\r\n\r\n");
  EXPECT_NE(open.find("Content-Type: application/openmetrics-text;"), std::string::npos);
  EXPECT_TRUE(open.ends_with("# EOF\n"));
  const std::string head = ask("HEAD /metrics HTTP/1.1\r\n\r\n");
  EXPECT_TRUE(head.ends_with("\r\n\r\n"));
  EXPECT_GT(value("spanwire.admin.requests"), 0);
}

// A scrape shows this moment, not the export thread's latest round.
TEST_F(Listener, BringsTracingsNumbersUpToDate) {
  trace::ProviderOptions options;
  options.sampler = trace::always_off();
  trace::init(std::move(options));
  trace::tracer("test").start(trace::Context(), "one");
  start();
  EXPECT_NE(ask("GET /metrics HTTP/1.1\r\n\r\n").find("\nspanwire_trace_spans_started 1\n"),
            std::string::npos);
  trace::provider()->shutdown(10s);
}

TEST_F(Listener, SaysWhetherTheProgramIsWell) {
  std::atomic<int> health{1};
  ListenerOptions options;
  options.healthy = [&health] {
    if (health == 2) throw std::runtime_error("broken");
    return health == 1;
  };
  start(std::move(options));
  EXPECT_TRUE(ask("GET /healthz HTTP/1.1\r\n\r\n").ends_with("\r\n\r\nok\n"));
  health = 0;
  EXPECT_EQ(status_of(ask("GET /healthz HTTP/1.1\r\n\r\n")), "HTTP/1.1 503 Service Unavailable");
  health = 2;
  EXPECT_EQ(status_of(ask("GET /healthz HTTP/1.1\r\n\r\n")), "HTTP/1.1 503 Service Unavailable");
}

TEST_F(Listener, GarbageGetsItsStatusAndCostsNobodyElse) {
  start();
  const std::pair<std::string, std::string> cases[] = {
      {"GET /other HTTP/1.1\r\n\r\n", "HTTP/1.1 404 Not Found"},
      {"DELETE /metrics HTTP/1.1\r\n\r\n", "HTTP/1.1 405 Method Not Allowed"},
      {"GET /metrics HTTP/3.0\r\n\r\n", "HTTP/1.1 505 HTTP Version Not Supported"},
      {"\x16\x03\x01\x02\n\n", "HTTP/1.1 400 Bad Request"},
      {"GET /metrics HTTP/1.1\r\nbad field\r\n\r\n", "HTTP/1.1 400 Bad Request"},
      {"GET /" + std::string(20'000, 'x'), "HTTP/1.1 431 Request Header Fields Too Large"},
      {std::string(200'000, '\xff'), "HTTP/1.1 431 Request Header Fields Too Large"},
      {"POST /metrics HTTP/1.1\r\nContent-Length: 300000\r\n\r\n" + std::string(300'000, 'b'),
       "HTTP/1.1 405 Method Not Allowed"},
  };
  const std::int64_t before = value("spanwire.admin.bad_requests");
  for (const auto& [request, status] : cases) EXPECT_EQ(status_of(ask(request)), status);
  EXPECT_EQ(value("spanwire.admin.bad_requests") - before,
            static_cast<std::int64_t>(std::size(cases)));
  EXPECT_EQ(status_of(ask("GET /healthz HTTP/1.1\r\n\r\n")), "HTTP/1.1 200 OK");
}

TEST_F(Listener, ARequestMayComeByteByByte) {
  start();
  Client client(listener_->address());
  for (const char c : std::string_view("GET /healthz HTTP/1.1\r\nA: b\r\n\r\n"))
    client.send({&c, 1});
  EXPECT_TRUE(client.receive().ends_with("ok\n"));
}

TEST_F(Listener, AClientThatEndsEarlyGetsNothing) {
  start();
  Client client(listener_->address());
  client.send("GET /metr");
  client.end();
  EXPECT_EQ(client.receive(), "");
}

// However it trickles: its time counts from the connect.
TEST_F(Listener, ASlowClientIsClosedWhenItsTimeIsUp) {
  ListenerOptions options;
  options.request_timeout = 20ms;
  start(std::move(options));
  const std::int64_t before = value("spanwire.admin.timeouts");
  Client silent(listener_->address());
  EXPECT_EQ(silent.receive(), "");
  Client slow(listener_->address());
  slow.send("GET /metrics HTTP/1.1\r\n");
  EXPECT_EQ(slow.receive(), "");
  EXPECT_EQ(value("spanwire.admin.timeouts") - before, 2);
}

TEST_F(Listener, OneClientTooManyTakesThePlaceOfTheOldest) {
  ListenerOptions options;
  options.connections_max = 2;
  options.request_timeout = 1h;
  start(std::move(options));
  const std::int64_t before = value("spanwire.admin.connections_dropped");
  std::vector<std::unique_ptr<Client>> silent;
  for (int i = 0; i < 5; ++i) silent.push_back(std::make_unique<Client>(listener_->address()));
  EXPECT_TRUE(ask("GET /healthz HTTP/1.1\r\n\r\n").ends_with("ok\n"));
  for (int i = 0; i < 4; ++i) EXPECT_EQ(silent[static_cast<std::size_t>(i)]->receive(), "") << i;
  EXPECT_EQ(value("spanwire.admin.connections_dropped") - before, 4);
}

TEST_F(Listener, StoppingClosesEverything) {
  ListenerOptions options;
  options.request_timeout = 1h;
  const std::string address = start(std::move(options)).address();
  Client open(address);
  open.send("GET ");
  EXPECT_TRUE(ask("GET /healthz HTTP/1.1\r\n\r\n").ends_with("ok\n"));
  listener_.reset();
  EXPECT_EQ(open.receive(), "");
  EXPECT_TRUE(is_free(address));
}

// The child holds neither the port nor the clients; the parent goes on.
TEST_F(Listener, AForkedChildLetsGo) {
  ListenerOptions options;
  options.request_timeout = 1h;
  start(std::move(options));
  Client open(listener_->address());
  EXPECT_TRUE(ask("GET /healthz HTTP/1.1\r\n\r\n").ends_with("ok\n"));
  EXPECT_EQ(testing::run_in_child([this] {
              ListenerOptions other;
              other.address = "127.0.0.1:0";
              const auto own = MetricsListener::start(other);
              if (!own) return 1;
              Client client((*own)->address());
              client.send("GET /healthz HTTP/1.1\r\n\r\n");
              if (!client.receive().ends_with("ok\n")) return 2;
              listener_.reset();
              return 0;
            }),
            0);
  open.send("GET /healthz HTTP/1.1\r\n\r\n");
  EXPECT_TRUE(open.receive().ends_with("ok\n"));
}

TEST_F(Listener, AddressesThatCannotBeUsedAreNamed) {
  const std::pair<const char*, Errc> cases[] = {
      {"", Errc::bad_address},
      {"9464", Errc::bad_address},
      {"127.0.0.1:", Errc::bad_address},
      {"127.0.0.1:65536", Errc::bad_address},
      {"127.0.0.1:x", Errc::bad_address},
      {"::1:9464", Errc::bad_address},
      {"[]:9464", Errc::bad_address},
      {"[::1:9464", Errc::bad_address},
      {"256.0.0.1:0", Errc::bad_address},
      {"192.0.2.1:9", Errc::listen_failed},
  };
  for (const auto& [address, expected] : cases) {
    ListenerOptions options;
    options.address = address;
    const auto started = MetricsListener::start(options);
    ASSERT_FALSE(started) << address;
    EXPECT_EQ(started.error().code(), expected) << started.error().message();
    EXPECT_NE(started.error().message().find(address), std::string::npos);
  }
  ListenerOptions taken;
  taken.address = start().address();
  const auto second = MetricsListener::start(taken);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), Errc::listen_failed);
}

TEST_F(Listener, OneAProcessWhateverIsAskedFor) {
  EXPECT_EQ(testing::run_in_child([] {
              testing::LogCapture log;
              ListenerOptions options;
              options.address = "127.0.0.1:0";
              const Result<std::string> first = listen_once(options);
              const Result<std::string> second = listen_once(options);
              if (!first || !second || *first != *second) return 1;
              return log.contains("a second listener is not started") ? 0 : 2;
            }),
            0);
}

}  // namespace
}  // namespace spanwire::admin
