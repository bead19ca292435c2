#include "lib/admin/http_request.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace spanwire::admin {
namespace {

struct Case {
  std::string_view head;
  int refused;
  std::string_view path = "";
  std::string_view accept = "";
};

constexpr Case kCases[] = {
    {"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", 0, "/metrics"},
    {"GET /metrics HTTP/1.0\r\n\r\n", 0, "/metrics"},
    {"HEAD /healthz HTTP/1.1\r\n\r\n", 0, "/healthz"},
    {"GET /metrics?name=x&y HTTP/1.1\n\n", 0, "/metrics"},
    {"GET /metrics HTTP/1.1\r\naccept:text/plain\r\n\r\n", 0, "/metrics", "text/plain"},
    {"GET /metrics HTTP/1.1\r\nACCEPT: \t a;q=0.5 \r\nX: y\r\nAccept: b\r\n\r\n", 0, "/metrics",
     "a;q=0.5,b"},
    {"GET /metrics HTTP/1.1\r\nAccept-Encoding: gzip\r\n\r\n", 0, "/metrics"},
    {"GET /metrics HTTP/1.1\r\nX: caf\xc3\xa9\r\n\r\n", 0, "/metrics"},
    {"POST /metrics HTTP/1.1\r\n\r\n", 405},
    {"get /metrics HTTP/1.1\r\n\r\n", 405},
    {"OPTIONS * HTTP/1.1\r\n\r\n", 405},
    {"GET /metrics HTTP/2.0\r\n\r\n", 505},
    {"GET /metrics HTTP/1.2\r\n\r\n", 505},
    {"\r\n\r\n", 400},
    {"GET\r\n\r\n", 400},
    {"GET /metrics\r\n\r\n", 400},
    {"GET  HTTP/1.1\r\n\r\n", 400},
    {"GET /a b HTTP/1.1\r\n\r\n", 400},
    {"GET /met\x01rics HTTP/1.1\r\n\r\n", 400},
    {"G\x80T /metrics HTTP/1.1\r\n\r\n", 400},
    {"GET /metrics http/1.1\r\n\r\n", 400},
    {"GET /metrics HTTP/11\r\n\r\n", 400},
    {"GET /metrics HTTP/1.1 \r\n\r\n", 400},
    {"GET /metrics HTTP/1.1\r\nno colon\r\n\r\n", 400},
    {"GET /metrics HTTP/1.1\r\n: empty\r\n\r\n", 400},
    {"GET /metrics HTTP/1.1\r\nAccept : x\r\n\r\n", 400},
    {"GET /metrics HTTP/1.1\r\nX: \x02\r\n\r\n", 400},
    {"GET /metrics HTTP/1.1\r\n folded: x\r\n\r\n", 400},
    {"\x16\x03\x01\x02\x01\n\n", 400},  // TLS
    {"PRI * HTTP/2.0\r\n\r\n", 505},    // HTTP/2
};

TEST(HttpRequest, IsReadOrRefusedWithAStatus) {
  for (const Case& item : kCases) {
    const HttpRequest request = parse_request(item.head);
    EXPECT_EQ(request.refused, item.refused) << item.head;
    if (item.refused != 0) continue;
    EXPECT_EQ(request.path, item.path) << item.head;
    EXPECT_EQ(request.accept, item.accept) << item.head;
  }
  EXPECT_TRUE(parse_request("HEAD / HTTP/1.1\r\n\r\n").head);
}

// Every prefix is either not over or the whole.
TEST(HttpRequest, EndsWithItsEmptyLine) {
  for (const std::string_view whole :
       {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "GET / HTTP/1.1\nHost: x\n\n", "\r\n\r\n"}) {
    for (std::size_t n = 0; n < whole.size(); ++n) {
      EXPECT_EQ(head_end(whole.substr(0, n)), std::string_view::npos) << n;
    }
    EXPECT_EQ(head_end(whole), whole.size());
    EXPECT_EQ(head_end(std::string(whole) + "and a body\n\n"), whole.size());
  }
}

TEST(HttpAnswer, IsWholeAndTheLastOfItsConnection) {
  EXPECT_EQ(http_answer(200, "text/plain", "ok\n", false),
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n"
            "Connection: close\r\n\r\nok\n");
  EXPECT_EQ(http_answer(405, "text/plain", "no\n", true),
            "HTTP/1.1 405 Method Not Allowed\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n"
            "Allow: GET, HEAD\r\nConnection: close\r\n\r\n");
}

}  // namespace
}  // namespace spanwire::admin
