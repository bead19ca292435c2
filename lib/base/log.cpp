#include "spanwire/base/log.hpp"

#include <pthread.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <cstdlib>
#include <mutex>
#include <vector>

#include "lib/base/fork_lock.hpp"
#include "lib/base/fork_order.hpp"
#include "spanwire/base/counters.hpp"
#include "spanwire/base/spawn.hpp"

namespace spanwire {
namespace {

constinit NamedCounter suppressed_lines("spanwire.log.suppressed");
constinit NamedCounter lost_exceptions("spanwire.task.lost_exceptions");

constexpr std::int64_t kWindowNs = 1'000'000'000;

// What one place in the source has written lately.
struct Site {
  const char* file;
  std::uint32_t line;
  std::uint32_t column;
  std::string_view text;
  LogLevel level;
  std::int64_t window_start_ns;
  std::uint32_t written;
  std::uint64_t suppressed;
};

LogLevel level_of_environment() noexcept {
  const char* value = std::getenv("OTEL_LOG_LEVEL");
  return (value != nullptr ? log_level_of(value) : std::nullopt).value_or(LogLevel::info);
}

bool json_in_environment() noexcept {
  const char* value = std::getenv("SPANWIRE_LOG_FORMAT");
  return value != nullptr && std::string_view(value) == "json";
}

spdlog::level::level_enum spdlog_level(LogLevel level) noexcept {
  switch (level) {
    case LogLevel::trace:
      return spdlog::level::trace;
    case LogLevel::debug:
      return spdlog::level::debug;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::warn:
      return spdlog::level::warn;
    case LogLevel::error:
      return spdlog::level::err;
    case LogLevel::off:
      break;
  }
  return spdlog::level::off;
}

class SpdlogSink final : public LogSink {
 public:
  void write(const LogLine& line) noexcept override {
    try {
      if (logger_ == nullptr) logger_ = find_logger();
      const std::string text = json_ ? format_log_json(line) : format_log_text(line);
      logger_->log(spdlog_level(line.level), spdlog::string_view_t(text.data(), text.size()));
    } catch (...) {
      // A log that cannot be written must not stop the work it speaks of.
      suppressed_lines.add();
    }
  }

 private:
  std::shared_ptr<spdlog::logger> find_logger() const {
    if (std::shared_ptr<spdlog::logger> registered = spdlog::get("spanwire")) return registered;
    // No lock inside the sink: ours is held already, and is the one that a fork takes care of.
    auto logger = std::make_shared<spdlog::logger>(
        "spanwire", std::make_shared<spdlog::sinks::stderr_sink_st>());
    logger->set_level(spdlog::level::trace);
    logger->flush_on(spdlog::level::trace);
    logger->set_formatter(std::make_unique<spdlog::pattern_formatter>(
        json_ ? "%v" : "%Y-%m-%dT%H:%M:%S.%fZ %-5l [%n] %v", spdlog::pattern_time_type::utc));
    return logger;
  }

  const bool json_ = json_in_environment();
  std::shared_ptr<spdlog::logger> logger_;
};

// Never destroyed: threads may log while the process ends.
struct Log {
  Log() : level(level_of_environment()) {}

  std::atomic<LogLevel> level;
  std::atomic<const Clock*> clock{&Clock::system()};
  SpdlogSink spdlog_sink;
  std::shared_ptr<LogSink> sink;
  std::vector<Site> sites;
};

// Of all but the level, and of the making.
constinit std::mutex log_mutex;
constinit std::atomic<Log*> made_log{nullptr};

std::mutex& mutex_of_log() { return log_mutex; }

// No other thread is inside a sink, or makes the log, while the process forks: the child finds both
// whole.
[[gnu::constructor(detail::kForkHandlersOfLog)]] void watch_forks() {
  detail::hold_over_forks<mutex_of_log>();
}

// Without the lock held.
Log& the_log() noexcept {
  if (Log* log = made_log.load(std::memory_order_acquire)) return *log;
  const std::lock_guard lock(log_mutex);
  if (made_log.load(std::memory_order_relaxed) == nullptr) made_log.store(new Log);
  return *made_log.load(std::memory_order_relaxed);
}

// With the lock held.
Site& site_of(Log& log, const LogText& text, LogLevel level) {
  const std::source_location& place = text.place();
  for (Site& site : log.sites) {
    if (site.line == place.line() && site.column == place.column() &&
        site.file == place.file_name() && site.text == text.text()) {
      return site;
    }
  }
  return log.sites.emplace_back(
      Site{place.file_name(), place.line(), place.column(), text.text(), level, 0, 0, 0});
}

// False if the place has had its lines of this second.
bool admit(Site& site, std::int64_t now_ns) noexcept {
  if (site.window_start_ns == 0 || now_ns - site.window_start_ns >= kWindowNs) {
    site.window_start_ns = now_ns;
    site.written = 0;
  }
  if (site.written == kLogLinesPerSecondMax) {
    ++site.suppressed;
    suppressed_lines.add();
    return false;
  }
  ++site.written;
  return true;
}

// With the lock held.
void write(Log& log, Site& site, LogLevel level, std::string_view text,
           std::initializer_list<LogField> fields) noexcept {
  LogLine line;
  line.time = log.clock.load()->wall();
  line.level = level;
  line.text = text;
  line.fields = fields;
  line.suppressed = std::exchange(site.suppressed, 0);
  LogSink& sink = log.sink != nullptr ? *log.sink : log.spdlog_sink;
  sink.write(line);
}

}  // namespace

void set_log_sink(std::shared_ptr<LogSink> sink) {
  // The former one ends outside of the lock.
  Log& log = the_log();
  const std::lock_guard lock(log_mutex);
  log.sink.swap(sink);
}

LogLevel log_level() noexcept { return the_log().level.load(std::memory_order_relaxed); }
void set_log_level(LogLevel level) noexcept { the_log().level.store(level); }
void set_log_clock(const Clock* clock) noexcept {
  the_log().clock.store(clock != nullptr ? clock : &Clock::system());
}

void log(LogLevel level, LogText text, std::initializer_list<LogField> fields) noexcept {
  log_made(level, text, text.text(), fields);
}

void log_made(LogLevel level, LogText place, std::string_view text,
              std::initializer_list<LogField> fields, bool limited) noexcept {
  if (level == LogLevel::off || !log_enabled(level)) return;
  Log& log = the_log();
  const std::lock_guard lock(log_mutex);
  Site& site = site_of(log, place, level);
  if (limited && !admit(site, log.clock.load()->monotonic().time_since_epoch().count())) return;
  write(log, site, level, text, fields);
}

void flush_log() noexcept {
  Log& log = the_log();
  const std::lock_guard lock(log_mutex);
  for (Site& site : log.sites) {
    if (site.suppressed != 0) write(log, site, site.level, site.text, {});
  }
}

void detail::report_lost_exception(const std::exception_ptr& exception) noexcept {
  lost_exceptions.add();
  try {
    std::rethrow_exception(exception);
  } catch (const std::exception& thrown) {
    log_error("an exception left a task that nobody waits for", {{"what", thrown.what()}});
  } catch (...) {
    log_error("an exception left a task that nobody waits for");
  }
}

}  // namespace spanwire
