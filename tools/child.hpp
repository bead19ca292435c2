// Programs that the command starts for a run.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "spanwire/base/result.hpp"

namespace spanwire::tools {

struct ChildOptions {
  std::vector<std::string> command;      // the program first, looked for in PATH
  std::vector<std::string> environment;  // "NAME=VALUE", all of it
  std::string output;                    // both of its outputs are added to this file
  bool session = false;                  // it outlives this process and its terminal
};

// Starts it.  Fails with not_found when there is no such program, file_open_failed for the output.
Result<pid_t> start_child(const ChildOptions& options);

// Waits; the exit code as a shell has it: 128 + the signal that ended it.
int wait_for_child(pid_t child);

// This process's environment with these set.
std::vector<std::string> environment_with(const std::vector<std::string>& variables);

}  // namespace spanwire::tools
