// What both programs do at their start and end: tracing as flags and environment say, signals, the
// line that says that they are ready.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "spanwire/base/result.hpp"
#include "spanwire/rpc/status.hpp"
#include "spanwire/trace/tracer.hpp"

namespace serving {

// Of the spans that frontend and workers make themselves.
const spanwire::trace::Tracer& tracer();

// Lives as long as main().
class Process {
 public:
  // From now on SIGINT and SIGTERM wait for wait_for_signal(), in every thread that is started
  // later; SIGPIPE is ignored.  Starts tracing as main()'s arguments and the environment say, as
  // service `name` unless OTEL_SERVICE_NAME has another one.
  Process(std::string_view name, int count, const char* const* arguments);
  // Exports what is left of the spans, in at most two seconds.
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  // Of this process, as its spans have it; made here when nothing is traced.
  const std::string& instance_id() const noexcept { return instance_id_; }
  // Writes "ready ADDRESS" to standard output: the only line there.
  void say_ready(std::string_view address) const;
  void wait_for_signal() const;

 private:
  std::string instance_id_;
};

// What a handler answers for an error.
spanwire::rpc::Status status_of(const spanwire::Error& error);

// Complains on standard error; returns 1, for main().
int complain(std::string_view program, std::string_view what);

}  // namespace serving
