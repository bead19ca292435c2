// What the environment says of tracing, each value with where it came from.
#pragma once

#include <string>
#include <vector>

#include "spanwire/otlp/environment.hpp"

namespace spanwire::tools {

struct Setting {
  std::string name;
  std::string value;
  std::string from;
};

// In the order of the documentation.  Values that may be secret are left out.
std::vector<Setting> settings_of(const otlp::Environment& environment,
                                 const std::vector<std::string>& warnings);

}  // namespace spanwire::tools
