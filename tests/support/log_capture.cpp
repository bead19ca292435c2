#include "tests/support/log_capture.hpp"

#include <mutex>

namespace spanwire::testing {

class LogCapture::Sink final : public LogSink {
 public:
  void write(const LogLine& line) noexcept override {
    const std::lock_guard lock(mutex);
    lines.push_back(std::string(name(line.level)) + " " + format_log_text(line));
  }
  mutable std::mutex mutex;
  std::vector<std::string> lines;
};

LogCapture::LogCapture() : level_before_(log_level()), sink_(std::make_shared<Sink>()) {
  set_log_sink(sink_);
  set_log_level(LogLevel::debug);
  set_log_clock(&clock_);
}

LogCapture::~LogCapture() {
  set_log_clock(nullptr);
  set_log_sink(nullptr);  // by a lock: whoever has read the clock has done with it
  set_log_level(level_before_);
}

std::vector<std::string> LogCapture::lines() const {
  const std::lock_guard lock(sink_->mutex);
  return sink_->lines;
}

std::size_t LogCapture::count(std::string_view text) const {
  std::size_t found = 0;
  for (const std::string& line : lines()) found += line.find(text) != std::string::npos ? 1 : 0;
  return found;
}

}  // namespace spanwire::testing
