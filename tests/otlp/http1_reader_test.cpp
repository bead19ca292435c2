#include "lib/otlp/http1_reader.hpp"

#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <string_view>

#include "spanwire/base/clock.hpp"

namespace spanwire::otlp {
namespace {

using std::string_literals::operator""s;

struct Case {
  const char* name;
  std::string text;
  long status;
  std::string body = "";
  bool kept = true;
  std::string type = "";
};
void PrintTo(const Case& one, std::ostream* out) { *out << one.name; }

class Http1ReaderTakes : public ::testing::TestWithParam<Case> {};

// In one piece, byte by byte, and in any two pieces.
TEST_P(Http1ReaderTakes, AnySplit) {
  const Case& one = GetParam();
  const std::string_view text = one.text;
  const auto check = [&one](Http1Reader& reader, const std::string& where) {
    EXPECT_TRUE(reader.begun()) << where;
    EXPECT_EQ(reader.keeps_connection(), one.kept) << where;
    EXPECT_EQ(reader.answer().status, one.status) << where;
    EXPECT_EQ(reader.answer().body, one.body) << where;
    EXPECT_EQ(reader.answer().content_type, one.type) << where;
  };
  for (std::size_t split = 0; split <= text.size(); ++split) {
    Http1Reader reader;
    const Result<bool> first = reader.take(text.substr(0, split));
    ASSERT_TRUE(first) << split << ": " << first.error().message();
    const Result<bool> second = reader.take(text.substr(split));
    ASSERT_TRUE(second) << split << ": " << second.error().message();
    EXPECT_TRUE(*second || reader.end()) << split;
    check(reader, std::to_string(split));
  }
  Http1Reader slow;
  for (const char c : text) ASSERT_TRUE(slow.take({&c, 1}));
  EXPECT_TRUE(slow.end());
  check(slow, "byte by byte");
}

INSTANTIATE_TEST_SUITE_P(
    Table, Http1ReaderTakes,
    ::testing::Values(
        Case{"empty", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200},
        Case{"body", "HTTP/1.1 200 OK\r\nContent-Type: Text/HTML\r\nCONTENT-LENGTH:5\r\n\r\nhello",
             200, "hello", true, "text/html"},
        Case{"bare_line_ends", "HTTP/1.1 404 Not Found\nContent-Length: 2\n\nno", 404, "no"},
        Case{"no_reason", "HTTP/1.1 503\r\nContent-Length: 0\r\n\r\n", 503},
        Case{"reason_of_many_words", "HTTP/1.1 413 Much Too Large\r\nContent-Length: 0\r\n\r\n",
             413},
        Case{"length_twice_the_same",
             "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok", 200, "ok"},
        Case{"length_has_the_word_close",
             "HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 2\r\n\r\nok", 200, "ok",
             false},
        Case{"a_list_of_words",
             "HTTP/1.1 200 OK\r\nConnection: x, close\r\nContent-Length: 0\r\n\r\n", 200, "",
             false},
        Case{"old_version", "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", 200, "", false},
        Case{"old_version_that_stays",
             "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n", 200},
        Case{"until_the_end", "HTTP/1.1 200 OK\r\n\r\nall of it", 200, "all of it", false},
        Case{"no_content", "HTTP/1.1 204 No Content\r\nContent-Length: 7\r\n\r\n", 204},
        Case{"not_modified", "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n",
             304},
        Case{"none_yet",
             "HTTP/1.1 100 Continue\r\nContent-Type: x\r\n\r\nHTTP/1.1 103 Hints\r\n\r\n"
             "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
             200, "ok"},
        Case{"chunks",
             "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n"
             "5\r\nhello\r\n00a;name=\"x\"\r\n0123456789\r\n0\r\n\r\n",
             200, "hello0123456789"},
        Case{"trailers",
             "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
             "1\r\nx\r\n0\r\nServer-Timing: 1\r\nX: y\r\n\r\n",
             200, "x"},
        Case{"one_answer_too_many",
             "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n", 200, "ok", false},
        Case{"nul_in_the_body", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\na\0b"s, 200, "a\0b"s}),
    [](const auto& made) { return std::string(made.param.name); });

struct Refused {
  const char* name;
  std::string text;
  std::string said;
};
void PrintTo(const Refused& one, std::ostream* out) { *out << one.name; }

class Http1ReaderRefuses : public ::testing::TestWithParam<Refused> {};

TEST_P(Http1ReaderRefuses, AndSaysWhatCame) {
  const Refused& one = GetParam();
  Http1Reader whole;
  const Result<bool> taken = whole.take(one.text);
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code(), Errc::export_answer_malformed);
  EXPECT_EQ(taken.error().detail(), one.said);
  Http1Reader slow;
  Result<bool> result = false;
  for (std::size_t i = 0; i < one.text.size() && result; ++i) result = slow.take({&one.text[i], 1});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), Errc::export_answer_malformed);
}

std::string chunked(std::string_view rest) {
  return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + std::string(rest);
}

INSTANTIATE_TEST_SUITE_P(
    Table, Http1ReaderRefuses,
    ::testing::Values(
        Refused{"tls_alert", "\x15\x03\x01\x00\x02\x02\x46"s, "not HTTP/1: '......F'"},
        Refused{"http2_frame", "\0\0\x12\x04\0\0\0\0\0"s, "not HTTP/1: '.........'"},
        Refused{"other_words", "SSH-2.0-OpenSSH_9.2\r\n", "not HTTP/1: 'SSH-2.0-OpenSSH_9.2..'"},
        Refused{"version_2", "HTTP/2 200\r\n\r\n", "not HTTP/1: 'HTTP/2 200....'"},
        Refused{"status_of_words", "HTTP/1.1 OK\r\n\r\n", "not a status line: 'HTTP/1.1 OK'"},
        Refused{"status_of_four_digits", "HTTP/1.1 2000 OK\r\n\r\n",
                "not a status line: 'HTTP/1.1 2000 OK'"},
        Refused{"status_below_100", "HTTP/1.1 099 OK\r\n\r\n",
                "not a status line: 'HTTP/1.1 099 OK'"},
        Refused{"field_without_a_name", "HTTP/1.1 200 OK\r\n: x\r\n\r\n",
                "not a header field: ': x'"},
        Refused{"field_without_a_colon", "HTTP/1.1 200 OK\r\nhello\r\n\r\n",
                "not a header field: 'hello'"},
        Refused{"length_that_is_none", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
                "not one Content-Length: '-1'"},
        Refused{"two_lengths", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
                "not one Content-Length: '2'"},
        Refused{"length_beside_chunks",
                "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
                "chunks: 'beside a Content-Length'"},
        Refused{"encoding_nobody_knows", "HTTP/1.1 200 OK\r\nTransfer-Encoding: br\r\n\r\n",
                "a transfer encoding that is not known: 'br'"},
        Refused{"other_protocol", "HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n",
                "nobody asked: 'to switch protocols'"},
        Refused{"too_long", "HTTP/1.1 200 OK\r\nContent-Length: 4194305\r\n\r\n",
                "an answer longer than 4194304 bytes"},
        Refused{"head_without_end", "HTTP/1.1 200 OK\r\nX: " + std::string(65536, 'x'),
                "a head longer than 65536 bytes"},
        Refused{"chunk_of_no_size", chunked("hello\r\n"), "not the size of a chunk: 'hello'"},
        Refused{"chunk_of_nothing", chunked("\r\n"), "not the size of a chunk: ''"},
        Refused{"chunk_beyond_its_size", chunked("1\r\nxy\r\n"),
                "a chunk that is longer than it says: 'y'"},
        Refused{"chunk_line_without_end", chunked(std::string(4097, '0')),
                "a line longer than 4096 bytes"},
        Refused{"chunks_that_are_too_long",
                chunked("400000\r\n" + std::string(4194304, 'x') + "\r\n1\r\nx\r\n"),
                "an answer longer than 4194304 bytes"},
        Refused{"trailers_without_end", chunked("0\r\nX: " + std::string(65536, 'x')),
                "a line longer than 65536 bytes"}),
    [](const auto& made) { return std::string(made.param.name); });

std::optional<std::chrono::seconds> retry_after(const std::string& value) {
  Http1Reader reader;
  EXPECT_TRUE(
      reader.take("HTTP/1.1 503 No\r\nRetry-After: " + value + "\r\nContent-Length: 0\r\n\r\n"));
  return reader.answer().retry_after;
}

TEST(Http1Reader, ReadsRetryAfter) {
  EXPECT_EQ(retry_after("7"), std::chrono::seconds(7));
  EXPECT_EQ(retry_after("0"), std::nullopt);
  EXPECT_EQ(retry_after("-3"), std::nullopt);
  EXPECT_EQ(retry_after("soon"), std::nullopt);
  EXPECT_EQ(retry_after("99999999999999999999"), std::nullopt);
  EXPECT_EQ(retry_after("9999999999"), std::chrono::hours(24 * 365));
  EXPECT_EQ(retry_after("Wed, 21 Oct 2015 07:28:00 GMT"), std::nullopt);
  EXPECT_EQ(retry_after("Fri, 31 Dec 2137 23:59:59 GMT"), std::chrono::hours(24 * 365));
}

TEST(Http1Reader, TellsHowFarAConnectionGot) {
  Http1Reader nothing;
  EXPECT_EQ(nothing.end().error().detail(), "closed without an answer");
  EXPECT_EQ(nothing.end().error().code(), Errc::connection_reset);
  Http1Reader half;
  ASSERT_TRUE(half.take("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell"));
  EXPECT_EQ(half.end().error().detail(), "closed in the middle of the answer");
  Http1Reader chunks;
  ASSERT_TRUE(chunks.take(chunked("1\r\nx\r\n")));
  EXPECT_EQ(chunks.end().error().code(), Errc::connection_reset);
}

}  // namespace
}  // namespace spanwire::otlp
