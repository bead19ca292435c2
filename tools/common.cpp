#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "spanwire/base/log.hpp"
#include "spanwire/otlp/environment.hpp"
#include "spanwire/trace/provider.hpp"
#include "tools/command.hpp"

namespace spanwire::tools {
namespace {

struct CloseFile {
  void operator()(std::FILE* file) const noexcept {
    if (file != stdin) std::fclose(file);
  }
};

// The number in front, and what follows it.
bool split_number(std::string_view text, double& number, std::string_view& unit) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || !std::isfinite(number) || number < 0) return false;
  unit = text.substr(static_cast<std::size_t>(end - text.data()));
  return true;
}

}  // namespace

void complain(std::string_view text) {
  const std::string line = "spanwire: " + std::string(text) + '\n';
  std::fwrite(line.data(), 1, line.size(), stderr);
}

void print(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }

Result<std::chrono::nanoseconds> parse_duration(std::string_view text,
                                                std::chrono::nanoseconds least) {
  double number = 0;
  std::string_view unit;
  double scale = 0;
  if (split_number(text, number, unit)) {
    if (unit.empty() || unit == "s") scale = 1e9;
    if (unit == "ms") scale = 1e6;
    if (unit == "us") scale = 1e3;
    if (unit == "m") scale = 60e9;
  }
  const double nanoseconds = number * scale;
  const bool fits = scale != 0 && nanoseconds >= static_cast<double>(least.count());
  if (!fits || nanoseconds > 86'400e9) {
    return fail(Errc::invalid_argument, "not a duration: '" + std::string(text) + "'");
  }
  return std::chrono::nanoseconds(static_cast<std::int64_t>(nanoseconds));
}

Result<std::size_t> parse_bytes(std::string_view text) {
  double number = 0;
  std::string_view unit;
  double scale = 0;
  if (split_number(text, number, unit)) {
    if (unit.empty()) scale = 1;
    if (unit == "k" || unit == "K") scale = 1'024;
    if (unit == "m" || unit == "M") scale = 1'048'576;
  }
  if (scale == 0 || number * scale > 4e9) {
    return fail(Errc::invalid_argument, "not a number of bytes: '" + std::string(text) + "'");
  }
  return static_cast<std::size_t>(number * scale);
}

Result<std::string> read_whole_file(const std::string& path) {
  const std::unique_ptr<std::FILE, CloseFile> file(path == "-" ? stdin
                                                               : std::fopen(path.c_str(), "re"));
  if (!file) return fail(Errc::file_open_failed, path + ": " + std::strerror(errno));
  std::string content;
  std::vector<char> block(std::size_t{1} << 16);
  for (std::size_t got = 0; (got = std::fread(block.data(), 1, block.size(), file.get())) != 0;) {
    content.append(block.data(), got);
  }
  if (std::ferror(file.get()) != 0) {
    return fail(Errc::file_read_failed, path + ": " + std::strerror(errno));
  }
  return content;
}

bool write_file(const std::string& path, std::string_view text) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "we"),
                                                             &std::fclose);
  if (!file || std::fwrite(text.data(), 1, text.size(), file.get()) != text.size() ||
      std::fflush(file.get()) != 0) {
    complain(path + ": " + std::strerror(errno));
    return false;
  }
  return true;
}

void add_client_keys(CLI::App& command, transport::CurveOptions& curve) {
  CLI::Option* own =
      command.add_option("--keys", curve.secret_key_file, "ZeroMQ: own keys, NAME.key_secret")
          ->type_name("FILE");
  CLI::Option* server =
      command.add_option("--server-key", curve.server_key_file, "ZeroMQ: the listener's NAME.key")
          ->type_name("FILE")
          ->needs(own);
  own->needs(server);
}

void add_server_keys(CLI::App& command, transport::CurveOptions& curve) {
  CLI::Option* own =
      command.add_option("--keys", curve.secret_key_file, "ZeroMQ: own keys, NAME.key_secret")
          ->type_name("FILE");
  CLI::Option* allow =
      command
          .add_option("--allow", curve.allowed_keys,
                      "ZeroMQ: who may connect; a key a line, or a folder of NAME.key")
          ->type_name("FILE")
          ->needs(own);
  own->needs(allow);
}

CLI::Validator duration_check(std::chrono::nanoseconds least) {
  return CLI::Validator(
      [least](std::string& text) {
        const auto parsed = parse_duration(text, least);
        return parsed ? std::string() : std::string(parsed.error().detail());
      },
      "", "duration");
}

CLI::Validator bytes_check() {
  return CLI::Validator(
      [](std::string& text) {
        const auto parsed = parse_bytes(text);
        return parsed ? std::string() : std::string(parsed.error().detail());
      },
      "", "bytes");
}

void start_tracing() {
  const char* level = std::getenv("OTEL_LOG_LEVEL");
  if (level == nullptr || *level == '\0') set_log_level(LogLevel::warn);
  otlp::init_from_env();
}

void finish_tracing() {
  trace::Provider* provider = trace::provider();
  if (provider == nullptr) return;
  const trace::FlushReport report = provider->shutdown(std::chrono::seconds(5));
  if (!report.complete()) complain(report.to_string());
}

}  // namespace spanwire::tools
