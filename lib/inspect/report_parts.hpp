// What rules and reports share.  Internal to inspect.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "spanwire/inspect/report.hpp"

namespace spanwire::inspect {

// A gate without an outcome fails when that is asked for and one of its rules could have failed.
Outcome gate_outcome(const Verdict& verdict, std::size_t gate, bool strict);
bool fails(const RuleVerdict& verdict, bool strict);
// "decode 'work' trace 00a1 span 03: parent 02 is not there", safe to print.
std::string finding_text(const Finding& finding);

}  // namespace spanwire::inspect
