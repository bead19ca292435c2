// A fence between one thread and all others of the process whose whole price the one pays.
#pragma once

#include <atomic>

namespace spanwire {

// Whether the kernel can do it for this process; the same at every call.
bool has_membarrier() noexcept;

// When it returns, each running thread of the process has had a full fence since it was called: of
// two stores, one before this and one before a light_fence() elsewhere, at least one is seen by the
// loads behind the other's fence.  Some microseconds.  Only where has_membarrier().
void membarrier_all() noexcept;

// Costs nothing.
inline void light_fence() noexcept { std::atomic_signal_fence(std::memory_order_seq_cst); }

}  // namespace spanwire
