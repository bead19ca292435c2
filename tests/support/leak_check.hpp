// LeakCheck: what came from the pool went back.
#pragma once

#include <gtest/gtest.h>

#include "spanwire/base/pool.hpp"

namespace spanwire::testing {

// Fails the test if, at its end, more pool memory is alive than at its beginning.  Make it the
// first member of a fixture, or the first line of a test.
class LeakCheck {
 public:
  LeakCheck() noexcept : live_(pool_live()) {}
  ~LeakCheck() { EXPECT_EQ(pool_live(), live_) << "memory of the pool is still alive"; }
  LeakCheck(const LeakCheck&) = delete;
  LeakCheck& operator=(const LeakCheck&) = delete;

 private:
  std::int64_t live_;
};

}  // namespace spanwire::testing
