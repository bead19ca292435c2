// Misuse of the model: never loses a span, always says so.  Each kind has its Errc, its counter
// "spanwire.journey.misuse.<name>" and a log line that is limited in rate for itself; what was
// exported because of it carries the attribute spanwire.misuse and the status error.
#pragma once

#include <cstdint>
#include <string_view>

#include "spanwire/base/errc.hpp"

namespace spanwire::journey {

// In strict mode, for tests, calls return the misuse that they found.  Otherwise they return ok:
// tracing is never the reason why a request fails.  Default: off.
void set_strict(bool strict) noexcept;
bool strict() noexcept;

// Counts and logs one misuse; the error in strict mode, else ok.
Errc count_misuse(Errc kind, std::string_view what) noexcept;
// How often a kind has been counted.
std::int64_t misuse_count(Errc kind);

}  // namespace spanwire::journey
