// The fixed parts of the HTML page: the files of lib/inspect/page, as the build embeds them.
// Internal to inspect.
#pragma once

#include <string_view>

namespace spanwire::inspect::page {

extern const std::string_view kStyle;
extern const std::string_view kBody;
// One script, in this order.
extern const std::string_view kScriptBase;    // helpers, and what is shown now
extern const std::string_view kScriptModel;   // what is worked out from the spans
extern const std::string_view kScriptSearch;  // the language of the search field
extern const std::string_view kScriptRows;    // which rows there are, and how one looks
extern const std::string_view kScriptFrame;   // what is around them
extern const std::string_view kScriptPanel;   // a span, the summary, the gates
extern const std::string_view kScriptStart;   // keys, address, start

}  // namespace spanwire::inspect::page
