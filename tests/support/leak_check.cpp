#include "tests/support/leak_check.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <thread>

#include "spanwire/base/pool.hpp"

namespace spanwire::testing {
namespace {

constexpr std::chrono::seconds kGuard{10};

std::size_t entries(const char* folder) {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    static_cast<void>(entry);
    ++count;
  }
  return count;
}

std::size_t threads() { return entries("/proc/self/task"); }
std::size_t descriptors() { return entries("/proc/self/fd"); }

// A thread that was joined is still listed for a moment.
std::size_t threads_down_to(std::size_t expected) {
  const auto give_up = std::chrono::steady_clock::now() + kGuard;
  std::size_t count = threads();
  while (count > expected && std::chrono::steady_clock::now() < give_up) {
    std::this_thread::yield();
    count = threads();
  }
  return count;
}

}  // namespace

LeakCheck::LeakCheck() {
  // A sanitizer starts a thread of its own with the program's first.
  std::thread([] {}).join();
  live_ = pool_live();
  threads_ = threads();
  descriptors_ = descriptors();
}

LeakCheck::~LeakCheck() {
  EXPECT_LE(threads_down_to(threads_), threads_) << "a thread is still running";
  EXPECT_LE(descriptors(), descriptors_) << "a descriptor is still open";
  EXPECT_EQ(pool_live(), live_) << "memory of the pool is still alive";
}

}  // namespace spanwire::testing
