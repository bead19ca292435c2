// What is wrong with a line that is no JSON.  Internal to inspect.
#pragma once

#include <simdjson.h>

#include <string>
#include <string_view>

namespace spanwire::inspect {

// By the strict parser, which is slow.
bool is_json(std::string_view line);

// A sentence that says what and where.  `error` is the fast parser's, for lines that only it
// refuses; a line that is not `complete` has no end.
std::string json_fault_text(std::string_view line, bool complete, simdjson::error_code error);

// Escapes of surrogates: the fast parser lets half a pair pass, which is no character.
bool may_have_half_pairs(std::string_view line);

}  // namespace spanwire::inspect
