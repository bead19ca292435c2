// How often a part of a context was left out because it was bad, by cause.  As counters:
// spanwire.trace.refused.<cause> and spanwire.trace.not_injected.<field>.
#pragma once

#include <cstdint>

#include "spanwire/base/errc.hpp"

namespace spanwire::trace {

// Adds one to the counter of `cause`, one of Errc's trace group.  Safe from any thread.
void count_refused(Errc cause) noexcept;
// Makes the counter of every cause visible to who reads them all, with 0 where nothing happened.
void show_refused() noexcept;
// Since the process began (or was forked).  0 for a cause that is not counted here.
std::uint64_t refused(Errc cause) noexcept;

enum class Field : std::uint8_t;
// A field that did not fit into the carrier it was written to.
void count_not_injected(Field field) noexcept;
std::uint64_t not_injected(Field field) noexcept;

}  // namespace spanwire::trace
