// Any bytes as an answer in HTTP/1.1: in pieces it is what it is as a whole, its body is no longer
// than what came, and what is said of it is short and printable.  The first byte is the size of the
// pieces.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "lib/otlp/http1_reader.hpp"

using namespace spanwire;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
  const std::size_t piece = 1u + data[0];
  otlp::Http1Reader whole;
  const Result<bool> expected = whole.take(text);
  otlp::Http1Reader reader;
  Result<bool> result = false;
  for (std::size_t at = 0; at < text.size() && result; at += piece) {
    result = reader.take(text.substr(at, piece));
  }
  require(result.has_value() == expected.has_value());
  if (!result) {
    require(result.error().code() == Errc::export_answer_malformed);
    require(result.error().detail().size() < 256);
    for (const char c : result.error().detail()) require(c >= ' ' && c < 0x7f);
    return 0;
  }
  require(*result == *expected);
  require(reader.keeps_connection() == whole.keeps_connection());
  require(reader.end().has_value() == whole.end().has_value());
  require(!*result || reader.end());
  const otlp::HttpAnswer& answer = reader.answer();
  require(answer.status == whole.answer().status && answer.body == whole.answer().body);
  require(answer.retry_after == whole.answer().retry_after || answer.retry_after);
  require(answer.body.size() <= text.size() && answer.status <= 999);
  return 0;
}
