#include "tests/support/fork.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <stdexcept>

namespace spanwire::testing {
namespace {

constexpr unsigned kChildSecondsMax = 30;
constexpr int kSignalBase = 1000;

}  // namespace

int run_in_child(const std::function<int()>& function) {
  const pid_t child = fork();
  if (child < 0) throw std::runtime_error("fork failed");
  if (child == 0) {
    alarm(kChildSecondsMax);
    _exit(function());
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : kSignalBase + WTERMSIG(status);
}

}  // namespace spanwire::testing
