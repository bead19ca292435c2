// Copies of bytes as parts.
#pragma once

#include "lib/transport/zmq/part.hpp"
#include "spanwire/base/slice.hpp"

namespace spanwire::transport {

// libzmq frees a part on its own thread.  With memory of its own for each, that thread and this one
// would wait for the same lock of malloc at every message; so small copies of one thread share
// blocks of 4 KiB, and a block goes with the last of its parts.  Above this each has its own.
inline constexpr std::size_t kSharedPartBytesMax = 1'024;

// Replaces what is in the part.
void copy_part(ZmqPart& part, ByteView bytes);

}  // namespace spanwire::transport
