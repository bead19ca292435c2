// The lock of the scope registry, for the fork handlers.
#pragma once

namespace spanwire::trace::detail {

void lock_scopes();
void unlock_scopes();

}  // namespace spanwire::trace::detail
