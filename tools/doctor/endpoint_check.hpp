// Whether an endpoint is what its configuration takes it for.
#pragma once

#include <chrono>

#include "spanwire/otlp/otlp_exporter.hpp"
#include "tools/doctor/findings.hpp"

namespace spanwire::tools {

// Findings named endpoint.* and clock.off.  True when sending is worth a try.
bool check_endpoint(const otlp::OtlpOptions& options, std::chrono::milliseconds timeout,
                    std::chrono::seconds clock_max, Findings& findings);

}  // namespace spanwire::tools
