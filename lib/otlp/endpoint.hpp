// Where spans go: an endpoint's text, checked and taken apart.
#pragma once

#include <string>
#include <string_view>

#include "spanwire/base/result.hpp"
#include "spanwire/otlp/otlp_exporter.hpp"

namespace spanwire::otlp {

inline constexpr std::string_view kTracesPath = "v1/traces";
inline constexpr std::string_view kGrpcPath =
    "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

struct Endpoint {
  std::string url;  // what the request line and the Host header are made from
  std::string unix_socket;
  std::string shown;  // without a password
  unsigned port = 0;
};

// Fails with invalid_argument: not http, https or unix, no host, not a port.
Result<Endpoint> parse_endpoint(std::string_view text, Protocol protocol);

// OTEL_EXPORTER_OTLP_ENDPOINT's rule: the signal's path is put behind the one that is there.
std::string with_traces_path(std::string_view base);

}  // namespace spanwire::otlp
