// Log: what Spanwire says to operators.  The library prints nothing in any other way.
//
//   log_warn("a handler held the loop", {{"path", path}, {"ms", held_ms}, trace_field(trace_id)});
//
// Lines go to the spdlog logger named "spanwire" (yours, if you registered one before the first
// line; else one that writes to stderr), or to a sink of your own.  Level: OTEL_LOG_LEVEL (trace,
// verbose, debug, info, warn, error, none; default info).  SPANWIRE_LOG_FORMAT=json makes each line
// a JSON object. Safe from any thread, at any time, and around fork.  Not for hot paths: a line
// that is written allocates.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <source_location>
#include <string>
#include <string_view>

#include "spanwire/base/clock.hpp"
#include "spanwire/base/result.hpp"

namespace spanwire {

enum class LogLevel : std::uint8_t { trace, debug, info, warn, error, off };
std::string_view name(LogLevel level) noexcept;
// Of a name as OTEL_LOG_LEVEL has it, in any case: also verbose, all, warning, fatal, none.
std::optional<LogLevel> log_level_of(std::string_view name) noexcept;

// A name and a value beside a line's text.  Borrows what it is made from.
class LogField {
 public:
  enum class Kind : std::uint8_t { text, integer, unsigned_integer, real, boolean };

  LogField(std::string_view key, std::string_view value) noexcept
      : key_(key), kind_(Kind::text), text_(value) {}
  LogField(std::string_view key, const char* value) noexcept
      : LogField(key, std::string_view(value)) {}
  LogField(std::string_view key, const std::string& value) noexcept
      : LogField(key, std::string_view(value)) {}
  LogField(std::string_view key, bool value) noexcept
      : key_(key), kind_(Kind::boolean), unsigned_(value ? 1 : 0) {}
  template <std::signed_integral T>
  LogField(std::string_view key, T value) noexcept
      : key_(key),
        kind_(Kind::integer),
        unsigned_(static_cast<std::uint64_t>(std::int64_t{value})) {}
  template <std::unsigned_integral T>
    requires(!std::same_as<T, bool>)
  LogField(std::string_view key, T value) noexcept
      : key_(key), kind_(Kind::unsigned_integer), unsigned_(value) {}
  LogField(std::string_view key, double value) noexcept
      : key_(key), kind_(Kind::real), real_(value) {}
  // The error's name.
  LogField(std::string_view key, Errc code) noexcept : LogField(key, name(code)) {}

  std::string_view key() const noexcept { return key_; }
  Kind kind() const noexcept { return kind_; }
  // The value as text, without quotes.
  std::string text() const;

 private:
  std::string_view key_;
  Kind kind_;
  std::string_view text_;
  std::uint64_t unsigned_ = 0;
  double real_ = 0;
};

// The field that every line about a call carries; the id as 32 hexadecimal digits.
inline LogField trace_field(std::string_view trace_id) noexcept { return {"trace_id", trace_id}; }

// One line.  Borrowed: valid during LogSink::write() only.
struct LogLine {
  WallTime time;
  LogLevel level = LogLevel::info;
  std::string_view text;
  std::initializer_list<LogField> fields;
  // Lines of the same place that were left out since its last one.
  std::uint64_t suppressed = 0;
};

// Where lines go instead of spdlog.  write() is called by one thread at a time and must not log.
class LogSink {
 public:
  virtual ~LogSink() = default;
  virtual void write(const LogLine& line) noexcept = 0;
};
// Null: back to spdlog.  The former sink is not used any more when this returns.
void set_log_sink(std::shared_ptr<LogSink> sink);

LogLevel log_level() noexcept;
void set_log_level(LogLevel level) noexcept;
inline bool log_enabled(LogLevel level) noexcept { return level >= log_level(); }

// A line as text, "the text key=value key=\"with blanks\"", or as a JSON object with the members
// time, level, message and the fields.  No end of line; control characters are escaped.
std::string format_log_text(const LogLine& line);
std::string format_log_json(const LogLine& line);

// A line's text, a literal, together with the place in the source that it comes from.
class LogText {
 public:
  LogText(const char* text,  // NOLINT: made from a literal on the way into log()
          std::source_location place = std::source_location::current()) noexcept
      : text_(text), place_(place) {}
  std::string_view text() const noexcept { return text_; }
  const std::source_location& place() const noexcept { return place_; }

 private:
  std::string_view text_;
  std::source_location place_;
};

// How many lines one place in the source, with one text, writes in a second; further ones are
// counted, in "spanwire.log.suppressed" and in the place's next line.
inline constexpr std::uint32_t kLogLinesPerSecondMax = 5;

void log(LogLevel level, LogText text, std::initializer_list<LogField> fields = {}) noexcept;

// A line whose text is made at run time; `place`, a literal, says in general what it says.  With
// `limited` off, no limit of lines a second: for what people look up by an id.
void log_made(LogLevel level, LogText place, std::string_view text,
              std::initializer_list<LogField> fields = {}, bool limited = true) noexcept;

inline void log_debug(LogText text, std::initializer_list<LogField> fields = {}) noexcept {
  log(LogLevel::debug, text, fields);
}
inline void log_info(LogText text, std::initializer_list<LogField> fields = {}) noexcept {
  log(LogLevel::info, text, fields);
}
inline void log_warn(LogText text, std::initializer_list<LogField> fields = {}) noexcept {
  log(LogLevel::warn, text, fields);
}
inline void log_error(LogText text, std::initializer_list<LogField> fields = {}) noexcept {
  log(LogLevel::error, text, fields);
}

// Writes a line for each place whose latest lines were left out, saying how many.  For the end of a
// run.
void flush_log() noexcept;

// The clock of the rate limit and of the lines' time, for tests; null: the machine's.
void set_log_clock(const Clock* clock) noexcept;

}  // namespace spanwire
