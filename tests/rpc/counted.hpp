// What another thread does in its time: counters that it raises, and whatever else.
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>
#include <thread>

#include "spanwire/base/counters.hpp"

namespace spanwire::rpc {

inline std::int64_t counted(std::string_view name) { return counter_snapshot().value(name); }

// False if it does not in half a minute.
template <class Predicate>
bool comes_true(Predicate happened) {
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!happened()) {
    if (std::chrono::steady_clock::now() > give_up) return false;
    std::this_thread::yield();
  }
  return true;
}
inline bool reaches(std::string_view name, std::int64_t value) {
  return comes_true([&] { return counted(name) >= value; });
}

}  // namespace spanwire::rpc
