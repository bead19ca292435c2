// Bytes that all sessions of the process hold: bodies that wait to be sent, and bodies in pieces
// that are not complete.  Small data in the hands of a reader are not counted here, only per
// connection.
#pragma once

#include <atomic>
#include <cstddef>

namespace spanwire::session {

inline constinit std::atomic<std::size_t> process_bytes{0};

}  // namespace spanwire::session
