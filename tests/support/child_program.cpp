#include "tests/support/child_program.hpp"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <stdexcept>

extern char** environ;

namespace spanwire::testing {
namespace {

constexpr unsigned kChildSecondsMax = 60;
constexpr int kSignalBase = 1000;
constexpr std::size_t kLineBytesMax = 4096;

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> all;
  for (std::string& text : texts) all.push_back(text.data());
  all.push_back(nullptr);
  return all;
}

}  // namespace

void wait_for_end_of_input() {
  std::array<char, 64> ignored;
  while (read(STDIN_FILENO, ignored.data(), ignored.size()) > 0) {
  }
}

ChildProgram::ChildProgram(const std::string& test, const std::vector<std::string>& environment) {
  std::vector<std::string> arguments{"/proc/self/exe", "--gtest_also_run_disabled_tests",
                                     "--gtest_filter=" + test};
  // The first of two values of a name is the one that counts.
  std::vector<std::string> variables = environment;
  for (char** variable = environ; *variable != nullptr; ++variable)
    variables.emplace_back(*variable);
  const std::vector<char*> argv = pointers(arguments);
  const std::vector<char*> envp = pointers(variables);
  int to_child[2];
  int from_child[2];
  if (pipe2(to_child, O_CLOEXEC) != 0 || pipe2(from_child, O_CLOEXEC) != 0) {
    throw std::runtime_error("no pipe for a child");
  }
  pid_ = fork();
  if (pid_ == 0) {
    alarm(kChildSecondsMax);
    dup2(to_child[0], STDIN_FILENO);
    dup2(from_child[1], STDOUT_FILENO);
    execve(argv[0], argv.data(), envp.data());
    _exit(127);
  }
  close(to_child[0]);
  close(from_child[1]);
  input_ = to_child[1];
  output_ = fdopen(from_child[0], "r");
}

ChildProgram::~ChildProgram() { finish(); }

std::string ChildProgram::line_after(const std::string& prefix) {
  std::array<char, kLineBytesMax> room;
  while (std::fgets(room.data(), room.size(), output_) != nullptr) {
    std::string line(room.data());
    if (!line.starts_with(prefix)) continue;
    line.erase(0, prefix.size());
    while (!line.empty() && line.back() == '\n') line.pop_back();
    return line;
  }
  return {};
}

int ChildProgram::finish() {
  if (pid_ < 0) return 0;
  close(input_);
  std::array<char, kLineBytesMax> room;
  while (std::fgets(room.data(), room.size(), output_) != nullptr) {
  }
  std::fclose(output_);
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0) {
  }
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : kSignalBase + WTERMSIG(status);
}

}  // namespace spanwire::testing
