// Times, addresses and queries as the API wants them.
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <ctime>

#include "lib/inspect/query_url.hpp"
#include "spanwire/inspect/jaeger.hpp"

namespace spanwire::inspect {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

std::string base_of(const JaegerOptions& options) {
  std::string base = options.url;
  if (base.find("://") == std::string::npos) base = "http://" + base;
  while (base.ends_with('/')) base.pop_back();
  return base + "/api/v3";
}

// `count` digits at the front of `text`, taken off; -1 when there are fewer.
int take_digits(std::string_view& text, std::size_t count) {
  int number = 0;
  if (text.size() < count) return -1;
  for (const char c : text.substr(0, count)) {
    if (c < '0' || c > '9') return -1;
    number = number * 10 + (c - '0');
  }
  text.remove_prefix(count);
  return number;
}

bool take(std::string_view& text, char c) {
  if (text.empty() || text.front() != c) return false;
  text.remove_prefix(1);
  return true;
}

// Nanoseconds of ".123", at most nine digits; -1 for what is none.
std::int64_t take_fraction(std::string_view& text) {
  if (!take(text, '.')) return 0;
  std::int64_t value = 0;
  std::size_t digits = 0;
  for (; !text.empty() && text.front() >= '0' && text.front() <= '9'; text.remove_prefix(1)) {
    if (++digits > 9) return -1;
    value = value * 10 + (text.front() - '0');
  }
  if (digits == 0) return -1;
  for (; digits < 9; ++digits) value *= 10;
  return value;
}

// Seconds east of Greenwich; an hour count beyond a day for what is no offset.
std::int64_t take_offset(std::string_view& text) {
  constexpr std::int64_t kNone = 1'000'000;
  if (take(text, 'Z')) return 0;
  const bool west = !text.empty() && text.front() == '-';
  if (!take(text, '-') && !take(text, '+')) return kNone;
  const int hours = take_digits(text, 2);
  if (hours < 0 || hours > 23 || !take(text, ':')) return kNone;
  const int minutes = take_digits(text, 2);
  if (minutes < 0 || minutes > 59) return kNone;
  return (west ? -1 : 1) * (hours * 3600 + minutes * 60);
}

std::optional<std::int64_t> absolute_time(std::string_view text) {
  std::tm parts{};
  const int year = take_digits(text, 4);
  if (year < 1970 || year > 2261 || !take(text, '-')) return {};
  parts.tm_year = year - 1900;
  parts.tm_mon = take_digits(text, 2) - 1;
  if (parts.tm_mon < 0 || parts.tm_mon > 11 || !take(text, '-')) return {};
  parts.tm_mday = take_digits(text, 2);
  if (parts.tm_mday < 1 || parts.tm_mday > 31 || !(take(text, 'T') || take(text, ' '))) return {};
  parts.tm_hour = take_digits(text, 2);
  if (parts.tm_hour < 0 || parts.tm_hour > 23 || !take(text, ':')) return {};
  parts.tm_min = take_digits(text, 2);
  if (parts.tm_min < 0 || parts.tm_min > 59 || !take(text, ':')) return {};
  parts.tm_sec = take_digits(text, 2);
  if (parts.tm_sec < 0 || parts.tm_sec > 60) return {};
  const std::int64_t fraction = take_fraction(text);
  const std::int64_t offset = take_offset(text);
  const int day = parts.tm_mday;
  const std::int64_t seconds = ::timegm(&parts);
  // A day that its month does not have comes back as one of the next.
  if (fraction < 0 || offset > 86'400 || !text.empty() || parts.tm_mday != day) return {};
  if (seconds < offset) return {};
  return (seconds - offset) * kSecond + fraction;
}

std::optional<std::int64_t> length_of(std::string_view text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || !std::isfinite(number) || number < 0) return {};
  const std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  const double scale = unit == "s"   ? 1e9
                       : unit == "m" ? 60e9
                       : unit == "h" ? 3'600e9
                       : unit == "d" ? 86'400e9
                                     : 0;
  if (scale == 0 || number * scale > 3e18) return {};
  return static_cast<std::int64_t>(number * scale);
}

bool is_port(std::string_view text) {
  unsigned port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc() && end == text.data() + text.size() && port >= 1 && port <= 65'535;
}

}  // namespace

std::string percent_encoded(std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string made;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_' || c == '.' || c == '~';
    if (plain) {
      made += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      made += {'%', kHex[byte >> 4], kHex[byte & 15]};
    }
  }
  return made;
}

std::string rfc3339(std::int64_t nanoseconds) {
  const std::time_t seconds = nanoseconds / kSecond;
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::array<char, 64> text;
  std::snprintf(text.data(), text.size(), "%04d-%02d-%02dT%02d:%02d:%02d.%09dZ",
                parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min,
                parts.tm_sec, static_cast<int>(nanoseconds % kSecond));
  return text.data();
}

Result<std::int64_t> parse_time(std::string_view text, std::int64_t now_ns) {
  if (text == "now") return now_ns;
  if (const auto time = absolute_time(text)) return *time;
  if (const auto length = length_of(text); length && *length <= now_ns) return now_ns - *length;
  return fail(Errc::invalid_argument,
              "not a time: '" + std::string(text) + "' (2026-11-21T09:30:00Z, or 10m for then)");
}

Result<std::string> host_and_port(std::string_view endpoint, unsigned default_port) {
  const auto bad = [&](std::string_view why) {
    return fail(Errc::invalid_argument,
                "not an endpoint: '" + std::string(endpoint) + "' (" + std::string(why) + ')');
  };
  std::string_view rest = endpoint;
  const std::size_t scheme = rest.find("://");
  if (scheme != std::string_view::npos) {
    if (rest.substr(0, scheme) != "http" && rest.substr(0, scheme) != "https") {
      return bad("http or https");
    }
    rest.remove_prefix(scheme + 3);
  }
  rest = rest.substr(0, rest.find_first_of("/?#"));
  const std::string port = ':' + std::to_string(default_port);
  if (rest.empty()) {
    if (!endpoint.empty()) return bad("no host");
    return "127.0.0.1" + port;
  }
  if (rest.find('@') != std::string_view::npos) return bad("no user information");
  const std::size_t bracket = rest.rfind(']');
  const std::size_t colon = rest.find(':', bracket == std::string_view::npos ? 0 : bracket);
  if (bracket != std::string_view::npos && rest.front() != '[') return bad("a stray bracket");
  if (colon == std::string_view::npos) return std::string(rest) + port;
  if (colon == 0) return bad("no host");
  if (!is_port(rest.substr(colon + 1))) return bad("a port from 1 to 65535");
  return std::string(rest);
}

std::string services_url(const JaegerOptions& options) { return base_of(options) + "/services"; }

// Names in snake case and both names of the depth: what all versions understand.  Before 2.19 only
// num_traces is read, and without it the memory store fails; a name that is not known is ignored
// without a word.
std::string traces_url(const JaegerOptions& options, const TraceQuery& query, std::size_t depth) {
  std::string url = base_of(options) + "/traces?";
  if (!query.service.empty()) {
    url += "query.service_name=" + percent_encoded(query.service) + '&';
  }
  url += "query.start_time_min=" + percent_encoded(rfc3339(query.start_ns));
  url += "&query.start_time_max=" + percent_encoded(rfc3339(query.end_ns));
  url += "&query.search_depth=" + std::to_string(depth);
  url += "&query.num_traces=" + std::to_string(depth);
  return url + "&query.raw_traces=true";
}

// Here, and only here, raw_traces has no prefix.
std::string trace_url(const JaegerOptions& options, std::string_view trace_id) {
  return base_of(options) + "/traces/" + percent_encoded(trace_id) + "?raw_traces=true";
}

}  // namespace spanwire::inspect
