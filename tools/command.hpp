// What the subcommands of `spanwire` share.  Each is a function in a file of its own.
#pragma once

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "spanwire/base/result.hpp"
#include "spanwire/transport/zmq_security.hpp"

namespace spanwire::tools {

// Exit codes.
inline constexpr int kExitOk = 0;
inline constexpr int kExitFailed = 1;  // the work went wrong
inline constexpr int kExitUsage = 2;   // the command line is wrong
// Of the commands that read traces back.
inline constexpr int kExitUnreachable = 3;    // a source is not there, or did not answer in time
inline constexpr int kExitNotUnderstood = 4;  // what it answered is not what was asked for

// Each adds its subcommand; when that is chosen, it runs while the line is parsed and leaves its
// exit code in `exit_code`.
void add_view(CLI::App& app, int& exit_code);
void add_convert(CLI::App& app, int& exit_code);
void add_call(CLI::App& app, int& exit_code);
void add_echo(CLI::App& app, int& exit_code);
void add_load(CLI::App& app, int& exit_code);
void add_keygen(CLI::App& app, int& exit_code);
void add_verify(CLI::App& app, int& exit_code);
void add_probe(CLI::App& app, int& exit_code);
void add_fetch(CLI::App& app, int& exit_code);
void add_jaeger(CLI::App& app, int& exit_code);
void add_exec(CLI::App& app, int& exit_code);
void add_compare(CLI::App& app, int& exit_code);
void add_receive(CLI::App& app, int& exit_code);
void add_doctor(CLI::App& app, int& exit_code);

// "spanwire: TEXT" on standard error.
void complain(std::string_view text);
// To standard output, as it is.
void print(std::string_view text);

// What a duration is at least, where it may not be zero.
inline constexpr std::chrono::nanoseconds kShortest{1};
// "250ms", "2s", "1.5s", "1m", "100us"; a number alone is seconds.  invalid_argument for anything
// else, for less than `least` and for more than a day.
Result<std::chrono::nanoseconds> parse_duration(std::string_view text,
                                                std::chrono::nanoseconds least = kShortest);
// "256", "64k", "1M": bytes, k = 1,024.  invalid_argument for anything else.
Result<std::size_t> parse_bytes(std::string_view text);
// The whole file; "-" is standard input.  file_open_failed, file_read_failed.
Result<std::string> read_whole_file(const std::string& path);
// False when it could not be written, which has been complained of.
bool write_file(const std::string& path, std::string_view text);

// CLI11 checks for the above.
CLI::Validator duration_check(std::chrono::nanoseconds least = kShortest);
CLI::Validator bytes_check();

// Options for ZeroMQ's keys: --keys and --server-key of who connects, --keys and --allow of who
// listens.
void add_client_keys(CLI::App& command, transport::CurveOptions& curve);
void add_server_keys(CLI::App& command, transport::CurveOptions& curve);

// For commands that run once: traces as the environment says, and logs warnings only unless
// OTEL_LOG_LEVEL asks for more.
void start_tracing();
// Writes out what was traced, and says so if some of it could not be.
void finish_tracing();

}  // namespace spanwire::tools
