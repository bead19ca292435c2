// Texts within addresses.  Internal to inspect.
#pragma once

#include <string>
#include <string_view>

namespace spanwire::inspect {

// All but letters, digits and "-._~" as %XX.
std::string percent_encoded(std::string_view text);

}  // namespace spanwire::inspect
