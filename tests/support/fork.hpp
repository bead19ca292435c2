// fork, for tests.
#pragma once

#include <functional>

namespace spanwire::testing {

// Runs `function` in a child process that ends with what it returns, without destructors or exit
// handlers, and waits for it.  Returns that exit code; 1000 plus the signal if one killed the child
// (a child that hangs is killed after 30 s).
int run_in_child(const std::function<int()>& function);

}  // namespace spanwire::testing
