// Links inside one process: for tests, and for services that share one.  With a fault plan they
// misbehave as a network does, the same way for the same seed.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "spanwire/base/executor.hpp"
#include "spanwire/transport/link.hpp"
#include "spanwire/wire/limits.hpp"

namespace spanwire::transport {

// What goes wrong on a connection.  Under a manual executor the same plan gives the same run.
struct FaultPlan {
  std::uint64_t seed = 1;
  // Each write arrives up to so much later; order is kept.
  std::chrono::nanoseconds delay_max{};
  // After so many bytes in one direction, in the middle of whatever they are, both directions
  // break: what was written before arrives, then both sides are closed with fault_injected.  0:
  // never.
  std::uint64_t cut_after_bytes = 0;
  // A read, a write moves 1 to so many bytes.  0: as many as there are.
  std::size_t read_bytes_max = 0;
  std::size_t write_bytes_max = 0;
};

struct MemoryOptions {
  LinkMode mode = LinkMode::bytes;
  FaultPlan faults;
  // Bytes on the way in one direction before the writer has to wait.
  std::size_t capacity_bytes = 256u << 10;
  std::chrono::nanoseconds write_timeout = wire::kWriteTimeout;
};

// Two ends of one connection, not started.
struct MemoryLinks {
  std::unique_ptr<Link> first;
  std::unique_ptr<Link> second;
};

// The executors may be the same, or run on two threads; each link belongs to its own.
MemoryLinks make_memory_links(Executor& first, Executor& second, const MemoryOptions& options = {});

}  // namespace spanwire::transport
