// Writes to a descriptor until everything is written.
#pragma once

#include <cstddef>

#include "spanwire/base/slice.hpp"

namespace spanwire::otlp {

// Writes `bytes`; `bytes` is then what is left.  Returns 0 or an errno.
int write_all(int file, ByteView& bytes) noexcept;

}  // namespace spanwire::otlp
