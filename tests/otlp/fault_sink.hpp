// FaultSink: a receiver that misbehaves as it is told (fault_sink.py), as a process of its own.
#pragma once

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

namespace spanwire::otlp::testing {

class FaultSink {
 public:
  struct Request {
    int connection = 0;
    std::string path;
    nlohmann::json headers;
    std::size_t bytes = 0;
    std::vector<std::string> spans;
  };

  // `steps`: what fault_sink.py does with each request, as JSON.
  explicit FaultSink(const std::string& steps, std::vector<std::string> arguments = {}) {
    int to[2];
    int from[2];
    if (pipe2(to, O_CLOEXEC) != 0 || pipe2(from, O_CLOEXEC) != 0) {
      throw std::runtime_error("no pipe");
    }
    arguments.insert(arguments.begin(),
                     {"python3", SPANWIRE_SOURCE_DIR "/tests/otlp/fault_sink.py", steps});
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    process_ = fork();
    if (process_ == 0) {
      dup2(to[0], STDIN_FILENO);
      dup2(from[1], STDOUT_FILENO);
      execvp(argv[0], argv.data());
      _exit(127);
    }
    close(to[0]);
    close(from[1]);
    input_ = to[1];
    output_ = fdopen(from[0], "r");
    const std::string ready = line();
    if (ready.rfind("ready ", 0) != 0) throw std::runtime_error("the sink does not start");
    port_ = ready.substr(6);
  }
  ~FaultSink() {
    close(input_);
    std::fclose(output_);
    waitpid(process_, nullptr, 0);
  }
  FaultSink(const FaultSink&) = delete;
  FaultSink& operator=(const FaultSink&) = delete;

  const std::string& port() const noexcept { return port_; }
  std::string endpoint(const std::string& path = "/v1/traces") const {
    return "http://127.0.0.1:" + port_ + path;
  }
  // The next request; waits for it.
  Request next() {
    const nlohmann::json read = nlohmann::json::parse(line());
    return {read["connection"], read["path"], read["headers"], read["bytes"], read["spans"]};
  }
  std::vector<Request> next(std::size_t count) {
    std::vector<Request> requests;
    while (requests.size() < count) requests.push_back(next());
    return requests;
  }
  // Requests that came and were not asked for with next().  Ends the sink: nothing can follow.
  std::vector<Request> rest() {
    close(input_);
    input_ = -1;
    std::vector<Request> requests;
    for (std::string text = line(); !text.empty(); text = line()) {
      const nlohmann::json read = nlohmann::json::parse(text);
      requests.push_back(
          {read["connection"], read["path"], read["headers"], read["bytes"], read["spans"]});
    }
    return requests;
  }

 private:
  // Empty at the end of the process.
  std::string line() {
    std::string text;
    for (int c = std::fgetc(output_); c != EOF && c != '\n'; c = std::fgetc(output_)) {
      text += static_cast<char>(c);
    }
    return text;
  }

  pid_t process_ = -1;
  int input_ = -1;
  std::FILE* output_ = nullptr;
  std::string port_;
};

}  // namespace spanwire::otlp::testing
