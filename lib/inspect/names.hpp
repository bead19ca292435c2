// Names of spans that were put together from values.  Internal.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace spanwire::inspect {

// Where in a name an id or a number begins that no programmer writes: four digits in a row, eight
// of hex with a digit among them, a part of a path that is a number.  npos when there is none.
std::size_t varying_part(std::string_view name) noexcept;

// The name with '#' for each number in it: equal for "step 1" and "step 12".
std::string without_numbers(std::string_view name);

}  // namespace spanwire::inspect
