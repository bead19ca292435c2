// How a line looks, as text and as JSON.
#include <array>
#include <charconv>
#include <ctime>
#include <utility>

#include "lib/base/ascii.hpp"
#include "lib/base/json_number.hpp"
#include "spanwire/base/log.hpp"

namespace spanwire {
namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";

bool is_control(char c) noexcept { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

// Escapes as JSON does; good for text too, so that no value can forge a line.
void append_escaped(std::string& out, std::string_view text) {
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (is_control(c)) {
      out += "\\u00";
      out += kHexDigits[static_cast<unsigned char>(c) >> 4];
      out += kHexDigits[static_cast<unsigned char>(c) & 15];
    } else {
      out += c;
    }
  }
}

void append_quoted(std::string& out, std::string_view text) {
  out += '"';
  append_escaped(out, text);
  out += '"';
}

bool needs_quotes(std::string_view text) noexcept {
  if (text.empty()) return true;
  for (const char c : text) {
    if (c == ' ' || c == '"' || c == '=' || c == '\\' || is_control(c)) return true;
  }
  return false;
}

// "2023-11-14T22:13:20.000001Z"
void append_time(std::string& out, WallTime time) {
  const std::int64_t us = time.time_since_epoch().count() / 1000;
  const std::time_t seconds = us / 1'000'000;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  std::array<char, 64> buffer{};
  const std::size_t size =
      std::strftime(buffer.data(), buffer.size(), "%Y-%m-%dT%H:%M:%S.", &parts);
  out.append(buffer.data(), size);
  const std::string fraction = std::to_string(us % 1'000'000);
  out.append(6 - fraction.size(), '0');
  out += fraction;
  out += 'Z';
}

template <class T>
std::string number_text(T value) {
  std::array<char, 32> buffer{};
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr;
  return {buffer.data(), end};
}

std::string number_text(double value) {
  std::array<char, 32> buffer{};
  return {buffer.data(), write_json_number(buffer.data(), buffer.data() + buffer.size(), value)};
}

// JSON has no infinity and no NaN.
bool is_json_literal(const LogField& field, std::string_view text) noexcept {
  if (field.kind() == LogField::Kind::text) return false;
  return field.kind() != LogField::Kind::real || text.find_first_of("in") == std::string_view::npos;
}

}  // namespace

std::optional<LogLevel> log_level_of(std::string_view name) noexcept {
  static constexpr std::pair<std::string_view, LogLevel> kNames[] = {
      {"trace", LogLevel::trace},  {"verbose", LogLevel::trace}, {"all", LogLevel::trace},
      {"debug", LogLevel::debug},  {"info", LogLevel::info},     {"warn", LogLevel::warn},
      {"warning", LogLevel::warn}, {"error", LogLevel::error},   {"fatal", LogLevel::error},
      {"none", LogLevel::off},     {"off", LogLevel::off}};
  for (const auto& [known, level] : kNames) {
    if (equal_without_case(name, known)) return level;
  }
  return std::nullopt;
}

std::string_view name(LogLevel level) noexcept {
  constexpr std::array<std::string_view, 6> kNames = {"trace", "debug", "info",
                                                      "warn",  "error", "off"};
  return kNames[static_cast<std::size_t>(level)];
}

std::string LogField::text() const {
  switch (kind_) {
    case Kind::integer:
      return number_text(static_cast<std::int64_t>(unsigned_));
    case Kind::unsigned_integer:
      return number_text(unsigned_);
    case Kind::real:
      return number_text(real_);
    case Kind::boolean:
      return unsigned_ != 0 ? "true" : "false";
    case Kind::text:
      break;
  }
  return std::string(text_);
}

std::string format_log_text(const LogLine& line) {
  std::string out;
  append_escaped(out, line.text);
  for (const LogField& field : line.fields) {
    out += ' ';
    out += field.key();
    out += '=';
    const std::string value = field.text();
    needs_quotes(value) ? append_quoted(out, value) : static_cast<void>(out += value);
  }
  if (line.suppressed != 0) out += " suppressed=" + std::to_string(line.suppressed);
  return out;
}

std::string format_log_json(const LogLine& line) {
  std::string out = "{\"time\":\"";
  append_time(out, line.time);
  out += "\",\"level\":\"";
  out += name(line.level);
  out += "\",\"message\":";
  append_quoted(out, line.text);
  for (const LogField& field : line.fields) {
    out += ',';
    append_quoted(out, field.key());
    out += ':';
    const std::string value = field.text();
    is_json_literal(field, value) ? static_cast<void>(out += value) : append_quoted(out, value);
  }
  if (line.suppressed != 0) out += ",\"suppressed\":" + std::to_string(line.suppressed);
  out += '}';
  return out;
}

}  // namespace spanwire
