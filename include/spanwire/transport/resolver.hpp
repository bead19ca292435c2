// Resolver: host names to addresses on a thread of its own, because the system's resolver blocks.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace spanwire::transport {

// One per Runtime; its thread, `spanwire-dns`, starts with the first name.  Safe from any thread.
// Lookups run one after another.
class Resolver {
 public:
  Resolver();
  // Waiting lookups fail with shutting_down.  A lookup that the system is in the middle of cannot
  // be stopped: its thread is left to end by itself and touches nothing of ours afterwards.
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  // Does what the destructor does, earlier.  Idempotent.
  void stop();

  // Lookups made since the start.
  std::uint64_t lookups() const noexcept;

  struct State;
  const std::shared_ptr<State>& state() const noexcept { return state_; }

 private:
  std::shared_ptr<State> state_;
};

}  // namespace spanwire::transport
