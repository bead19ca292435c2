// The `spanwire` command.
#include <cstdio>
#include <string>

#include "tools/command.hpp"

namespace spanwire::tools {

void complain(std::string_view text) {
  const std::string line = "spanwire: " + std::string(text) + '\n';
  std::fwrite(line.data(), 1, line.size(), stderr);
}

}  // namespace spanwire::tools

int main(int argc, char** argv) {
  CLI::App app("Calls over Spanwire, and the traces that they leave.", "spanwire");
  app.set_version_flag("--version", "spanwire " SPANWIRE_VERSION);
  app.require_subcommand(1);
  app.get_formatter()->column_width(30);
  int exit_code = spanwire::tools::kExitOk;
  spanwire::tools::add_view(app, exit_code);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const bool asked = error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success);
    app.exit(error);
    return asked ? spanwire::tools::kExitOk : spanwire::tools::kExitUsage;
  }
  return exit_code;
}
