// LogCapture: what was logged while it lives.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "spanwire/base/clock.hpp"
#include "spanwire/base/log.hpp"

namespace spanwire::testing {

// Takes the log's place, level debug, and gives it back.  Lines as "level text key=value".  Its
// clock stands still until told otherwise, so the rate limit does not depend on the machine.
class LogCapture {
 public:
  LogCapture();
  ~LogCapture();
  LogCapture(const LogCapture&) = delete;
  LogCapture& operator=(const LogCapture&) = delete;

  std::vector<std::string> lines() const;
  // How many lines contain `text`.
  std::size_t count(std::string_view text) const;
  bool contains(std::string_view text) const { return count(text) != 0; }
  ManualClock& clock() noexcept { return clock_; }

 private:
  class Sink;
  ManualClock clock_;
  LogLevel level_before_;
  std::shared_ptr<Sink> sink_;
};

}  // namespace spanwire::testing
