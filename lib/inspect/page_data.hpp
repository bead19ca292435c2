// What the HTML page shows, as the JSON that its script reads.  Internal to inspect.
#pragma once

#include <string>
#include <vector>

#include "spanwire/inspect/html.hpp"

namespace spanwire::inspect {

// One object.  Members that would say nothing are left out: `x` (the parent's index) of a root,
// `k`, `st`, `pr`, `sc`, `dp`, `c` of zero, empty lists.
std::string page_data(const TraceSet& traces, const std::vector<const Tree*>& trees,
                      const HtmlOptions& options);

}  // namespace spanwire::inspect
