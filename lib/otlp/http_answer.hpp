// What an HTTP server answers, as far as exporters want to know.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>

namespace spanwire::otlp {

// A longer answer is refused.
inline constexpr std::size_t kAnswerBytesMax = 4u << 20;

struct HttpAnswer {
  long status = 0;
  std::string content_type;  // in lower case
  std::string body;
  std::optional<std::chrono::seconds> retry_after;
  // gRPC's, from the headers or behind the body.
  std::string grpc_status;
  std::string grpc_message;
  std::string grpc_details;
};

}  // namespace spanwire::otlp
