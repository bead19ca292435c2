// ChildProgram: a disabled test case of this test program, run as a process of its own.
#pragma once

#include <sys/types.h>

#include <cstdio>
#include <string>
#include <vector>

namespace spanwire::testing {

// In the child: returns when whoever started it lets it end.
void wait_for_end_of_input();

// Started by the constructor, ended (and waited for) by finish() or the destructor.
class ChildProgram {
 public:
  // `test` is "DISABLED_Suite.Case"; `environment` holds "NAME=VALUE" on top of this process's own.
  explicit ChildProgram(const std::string& test, const std::vector<std::string>& environment = {});
  ~ChildProgram();
  ChildProgram(const ChildProgram&) = delete;
  ChildProgram& operator=(const ChildProgram&) = delete;

  // What follows `prefix` in the first line of its output that begins with that; empty if it ended
  // without.
  std::string line_after(const std::string& prefix);
  // Lets it end; its exit code, or 1000 plus the signal that killed it.
  int finish();
  pid_t pid() const noexcept { return pid_; }

 private:
  pid_t pid_ = -1;
  int input_ = -1;
  std::FILE* output_ = nullptr;
};

}  // namespace spanwire::testing
