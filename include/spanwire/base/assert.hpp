// SPANWIRE_ASSERT: for our own bugs, never for what a peer or a user does.
#pragma once

namespace spanwire::detail {
[[noreturn]] void assertion_failed(const char* expression, const char* file, int line) noexcept;
}  // namespace spanwire::detail

// Checked in every build: the cost is a predictable branch.
#define SPANWIRE_ASSERT(expression)    \
  ((expression) ? static_cast<void>(0) \
                : ::spanwire::detail::assertion_failed(#expression, __FILE__, __LINE__))
