// Any answer of a backend, to HTTP and to gRPC: it is judged, and what is said about it is short
// and printable.  The first byte chooses status and type, a line is gRPC's, the rest is the body.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "lib/otlp/verdict.hpp"

using namespace spanwire;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

void check(const otlp::Verdict& verdict) {
  using Kind = otlp::Verdict::Kind;
  require((verdict.kind == Kind::delivered) == (verdict.error == Error()));
  require(verdict.kind == Kind::delivered || (verdict.rejected == 0 && verdict.warning.empty()));
  require(verdict.error.detail().size() < 1024 && verdict.warning.size() < 1024);
  for (const char c : verdict.error.detail()) require(static_cast<unsigned char>(c) >= 0x20);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static constexpr long kStatuses[] = {200, 202, 400, 404, 413, 429, 500, 503};
  static constexpr const char* kTypes[] = {"application/x-protobuf", "application/json",
                                           "text/html", ""};
  if (size == 0) return 0;
  otlp::HttpAnswer answer;
  answer.status = kStatuses[data[0] & 7];
  answer.content_type = kTypes[data[0] >> 3 & 3];
  const std::string_view rest(reinterpret_cast<const char*>(data + 1), size - 1);
  const std::size_t line = rest.find('\n');
  if (line != std::string_view::npos) {
    const std::string_view head = rest.substr(0, line);
    answer.grpc_status = head.substr(0, 2);
    answer.grpc_message = head.substr(std::min<std::size_t>(2, head.size()));
    answer.grpc_details = answer.grpc_message;
    answer.body = rest.substr(line + 1);
  } else {
    answer.body = rest;
  }
  check(otlp::judge_http(answer));
  check(otlp::judge_grpc(answer));
  return 0;
}
