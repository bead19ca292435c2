// The `spanwire` command.
#include "tools/command.hpp"

int main(int argc, char** argv) {
  using namespace spanwire::tools;  // NOLINT: the program
  CLI::App app("Calls over Spanwire, and the traces that they leave.", "spanwire");
  app.set_version_flag("--version", "spanwire " SPANWIRE_VERSION);
  app.require_subcommand(1);
  app.get_formatter()->column_width(30);
  int exit_code = kExitOk;
  add_view(app, exit_code);
  add_convert(app, exit_code);
  add_call(app, exit_code);
  add_echo(app, exit_code);
  add_load(app, exit_code);
  add_keygen(app, exit_code);
  add_verify(app, exit_code);
  add_probe(app, exit_code);
  add_fetch(app, exit_code);
  add_jaeger(app, exit_code);
  add_exec(app, exit_code);
  add_compare(app, exit_code);
  add_receive(app, exit_code);
  add_doctor(app, exit_code);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const bool asked = error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success);
    app.exit(error);
    return asked ? kExitOk : kExitUsage;
  }
  return exit_code;
}
