// One document by the fast parser, with what that one alone would refuse.  Internal to inspect.
#pragma once

#include <simdjson.h>

#include <string_view>

namespace spanwire::inspect {

// Like parser.parse(); `padded`: simdjson's padding lies behind `text`.  An integer of more than
// 64 bits is read as a double: JavaScript and Go write large doubles so (1e20 as its 21 digits).
simdjson::error_code parse_json(simdjson::dom::parser& parser, std::string_view text, bool padded,
                                simdjson::dom::element& root);

}  // namespace spanwire::inspect
