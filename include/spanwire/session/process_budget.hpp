// What all connections of the process may hold together, besides each connection's own limit
// (wire::Limits::queued_bytes_max): bodies that wait to be sent, bodies in pieces that are not
// complete, and payloads that handlers keep.  Safe from any thread.
#pragma once

#include <cstddef>

namespace spanwire::session {

// The default is wire::kQueuedBytesPerProcessMax.  Holds for the next body; what is held already
// stays.  One body may always be held while there is nothing else.  Beyond it a call waits as for a
// busy connection, a write is not taken yet, a request that comes in is refused as not started
// (RESOURCE_EXHAUSTED), a reply becomes RESOURCE_EXHAUSTED; counter
// spanwire.session.process_budget_refusals.
void set_process_bytes_max(std::size_t bytes) noexcept;
std::size_t process_bytes_max() noexcept;
// What is held now.
std::size_t process_bytes() noexcept;

}  // namespace spanwire::session
