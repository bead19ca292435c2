#include "spanwire/base/assert.hpp"

#include <cstdio>
#include <cstdlib>

namespace spanwire::detail {

void assertion_failed(const char* expression, const char* file, int line) noexcept {
  std::fprintf(stderr, "spanwire: assertion failed: %s (%s:%d)\n", expression, file, line);
  std::abort();
}

}  // namespace spanwire::detail
