// What the subcommands of `spanwire` share.  Each is a function in a file of its own.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <string_view>

namespace spanwire::tools {

// Exit codes.
inline constexpr int kExitOk = 0;
inline constexpr int kExitFailed = 1;  // the work went wrong
inline constexpr int kExitUsage = 2;   // the command line is wrong

// Each adds its subcommand; when that is chosen, it runs while the line is parsed and leaves its
// exit code in `exit_code`.
void add_view(CLI::App& app, int& exit_code);

// "spanwire: TEXT" on standard error.
void complain(std::string_view text);

}  // namespace spanwire::tools
