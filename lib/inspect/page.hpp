// The fixed parts of the HTML page.  Internal to inspect.
#pragma once

#include <string_view>

namespace spanwire::inspect::page {

extern const std::string_view kStyle;
extern const std::string_view kBody;
// One script in two parts: the rows, then the panel beside them and the keys.
extern const std::string_view kScriptRows;
extern const std::string_view kScriptPanel;

}  // namespace spanwire::inspect::page
