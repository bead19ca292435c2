// HttpClient in HTTP/1.1 against a server that does as it is told, over a unix socket.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "lib/otlp/http_client.hpp"

namespace spanwire::otlp {
namespace {

constexpr std::chrono::seconds kEnough{60};  // a guard against hanging, not a wait

// What a server does with a connection: for each request that it reads whole, an answer.
struct Script {
  std::vector<std::string> answers;
  // Before this much of the first request it answers, and closes without reading the rest.
  std::size_t answer_after = 0;
};

class Server {
 public:
  explicit Server(std::vector<Script> connections) {
    folder_ = (std::filesystem::temp_directory_path() / "spanwire-XXXXXX").string();
    EXPECT_NE(mkdtemp(folder_.data()), nullptr);
    listener_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path().copy(address.sun_path, sizeof address.sun_path - 1);
    EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(listen(listener_, 4), 0);
    thread_ = std::thread([this, scripts = std::move(connections)] {
      for (const Script& script : scripts) serve(script);
    });
  }
  ~Server() {
    shutdown(listener_, SHUT_RDWR);
    thread_.join();
    close(listener_);
    std::filesystem::remove_all(folder_);
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  std::string path() const { return folder_ + "/s"; }
  void wait_for_a_request() { has_request_.wait(false); }
  // After the server's scripts have all been played.
  const std::vector<std::string>& requests() {
    if (thread_.joinable()) thread_.join();
    thread_ = std::thread([] {});
    return requests_;
  }

 private:
  void serve(const Script& script) {
    const int peer = accept(listener_, nullptr, nullptr);
    if (peer < 0) return;
    std::string text;
    for (const std::string& answer : script.answers) {
      if (!read_request(peer, text, script.answer_after)) break;
      send(peer, answer.data(), answer.size(), MSG_NOSIGNAL);
    }
    close(peer);
  }
  bool read_request(int peer, std::string& text, std::size_t enough) {
    for (;;) {
      const std::size_t head = text.find("\r\n\r\n");
      std::size_t whole = std::string::npos;
      if (head != std::string::npos) {
        const std::size_t at = text.find("Content-Length: ");
        whole = head + 4 + static_cast<std::size_t>(std::atoll(text.c_str() + at + 16));
      }
      if (enough != 0 && text.size() >= enough) return true;
      if (text.size() >= whole) {
        requests_.push_back(text.substr(0, whole));
        has_request_ = true;
        has_request_.notify_all();
        text.erase(0, whole);
        return true;
      }
      char bytes[4096];
      const ssize_t got = recv(peer, bytes, sizeof bytes, 0);
      if (got <= 0) return false;
      text.append(bytes, static_cast<std::size_t>(got));
    }
  }

  std::string folder_;
  int listener_ = -1;
  std::vector<std::string> requests_;
  std::atomic<bool> has_request_{false};
  std::thread thread_;
};

const std::string kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

HttpTarget target_at(const Server& server) {
  HttpTarget target;
  target.url = "http://localhost/v1/traces?key=1";
  target.unix_socket = server.path();
  target.headers = {{"content-type", "application/x-protobuf"}};
  return target;
}

Result<HttpAnswer> post(HttpClient& client, std::string_view body) {
  const MonotonicTime begin = Clock::system().monotonic();
  return client.post(bytes_of(body), {begin, begin + kEnough});
}

TEST(Http1Connection, AsksAsRfc9112Says) {
  Server server({{{kOk}}});
  HttpTarget target = target_at(server);
  target.headers.emplace_back("x-api-key", "a\r\nb: c");
  target.headers.emplace_back("Content-Length", "7");
  target.headers.emplace_back("transfer-encoding", "chunked");
  target.headers.emplace_back("empty", "");
  HttpClient client(target);
  const Result<HttpAnswer> answer = post(client, "hello");
  ASSERT_TRUE(answer) << answer.error().message();
  EXPECT_EQ(answer->body, "ok");
  ASSERT_EQ(server.requests().size(), 1u);
  EXPECT_EQ(server.requests()[0],
            "POST /v1/traces?key=1 HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n"
            "content-type: application/x-protobuf\r\nx-api-key: a  b: c\r\nempty: \r\n"
            "Content-Length: 5\r\n\r\nhello");
}

TEST(Http1Connection, IsKeptFromRequestToRequest) {
  Server server({{{kOk, kOk, kOk}}});
  HttpTarget target = target_at(server);
  target.headers.emplace_back("Host", "other:1");
  HttpClient client(target);
  for (const std::string body : {"", "two", "three"}) ASSERT_TRUE(post(client, body));
  ASSERT_EQ(server.requests().size(), 3u);
  EXPECT_EQ(
      server.requests()[1],
      "POST /v1/traces?key=1 HTTP/1.1\r\nAccept: */*\r\n"
      "content-type: application/x-protobuf\r\nHost: other:1\r\nContent-Length: 3\r\n\r\ntwo");
}

TEST(Http1Connection, IsMadeAnewWhereTheServerSaysSo) {
  const std::string last = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok";
  const std::string endless = "HTTP/1.1 200 OK\r\n\r\nok";
  Server server({{{last}}, {{endless}}, {{kOk + "more"}}, {{kOk}}});
  HttpClient client(target_at(server));
  for (int i = 0; i < 4; ++i) {
    const Result<HttpAnswer> answer = post(client, "x");
    ASSERT_TRUE(answer) << i << ": " << answer.error().message();
    EXPECT_EQ(answer->body, "ok") << i;
  }
  EXPECT_EQ(server.requests().size(), 4u);
}

// The server closes a connection that it kept, before or after it has read the next request.
TEST(Http1Connection, ThatEndsUnaskedCostsNoRequest) {
  Server server({{{kOk}}, {{kOk, ""}}, {{kOk}}});
  HttpClient client(target_at(server));
  for (int i = 0; i < 3; ++i) {
    const Result<HttpAnswer> answer = post(client, std::to_string(i));
    ASSERT_TRUE(answer) << i << ": " << answer.error().message();
  }
  ASSERT_EQ(server.requests().size(), 4u);
  EXPECT_TRUE(server.requests()[2].ends_with("2"));
  EXPECT_TRUE(server.requests()[3].ends_with("2"));
}

TEST(Http1Connection, ThatIsNewFailsOnce) {
  Server server({{{""}}});
  HttpClient client(target_at(server));
  const Result<HttpAnswer> answer = post(client, "x");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code(), Errc::connection_reset);
  EXPECT_EQ(answer.error().detail(), "closed without an answer");
}

TEST(Http1Connection, TakesAnAnswerBeforeAllIsSent) {
  const std::string no = "HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno";
  Server server({{{no}, 1024}, {{kOk}}});
  HttpClient client(target_at(server));
  const Result<HttpAnswer> refused = post(client, std::string(16u << 20, 'x'));
  ASSERT_TRUE(refused) << refused.error().message();
  EXPECT_EQ(refused->status, 413);
  const Result<HttpAnswer> answer = post(client, "x");
  ASSERT_TRUE(answer) << answer.error().message();
  EXPECT_EQ(answer->status, 200);
}

TEST(Http1Connection, SendsWhatDoesNotFitAtOnce) {
  Server server({{{kOk, kOk}}});
  HttpClient client(target_at(server));
  const std::string body(8u << 20, 'y');
  ASSERT_TRUE(post(client, body));
  ASSERT_TRUE(post(client, "z"));
  ASSERT_EQ(server.requests().size(), 2u);
  EXPECT_TRUE(server.requests()[0].ends_with(body));
}

TEST(Http1Connection, TellsHowFarItGotInTime) {
  Server server({{{"HTTP/1.1 200 OK\r\n", kOk}}});  // the second one waits for a second request
  HttpClient client(target_at(server));
  std::thread impatient([&] {
    server.wait_for_a_request();
    client.hasten(Clock::system().monotonic());
  });
  const Result<HttpAnswer> answer = post(client, "hello");
  impatient.join();
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code(), Errc::export_timeout);
  EXPECT_EQ(answer.error().detail(), "without an answer, 5 bytes sent");
  client.close();
}

}  // namespace
}  // namespace spanwire::otlp
