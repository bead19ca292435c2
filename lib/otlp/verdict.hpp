// What a backend's answer, or the lack of one, means for the batch (OTLP 1.10, "Response").
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "lib/otlp/http_client.hpp"
#include "spanwire/base/result.hpp"

namespace spanwire::otlp {

struct Verdict {
  enum class Kind : std::uint8_t {
    delivered,
    again,      // the same batch, later
    too_large,  // in parts
    refused,    // never again
  };
  Kind kind = Kind::delivered;
  // Of a delivered batch: how many spans the backend did not take all the same, and what it said.
  std::uint64_t rejected = 0;
  std::string warning;
  // The pause that the backend asks for.
  std::optional<std::chrono::nanoseconds> pause;
  // Why it is not delivered.
  Error error;
};

Verdict judge_http(const HttpAnswer& answer);
Verdict judge_grpc(const HttpAnswer& answer);
// No answer.
Verdict judge_failure(const Error& error);

}  // namespace spanwire::otlp
