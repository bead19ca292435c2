// spanwire keygen: a key pair for ZeroMQ's CURVE.
#include <memory>
#include <string>

#include "spanwire/transport/zmq_security.hpp"
#include "tools/command.hpp"

namespace spanwire::tools {
namespace {

struct KeygenArguments {
  std::string name;
  bool force = false;
};

int keygen(const KeygenArguments& arguments) {
  using transport::CurveKeyPair;
  const Result<CurveKeyPair> keys = CurveKeyPair::generate();
  Result<void> written = keys ? transport::write_key_files(arguments.name, *keys, arguments.force)
                              : fail(keys.error());
  if (!written) {
    complain(written.error().message());
    if (written.error() == Errc::already_exists) complain("--force replaces it");
    return kExitFailed;
  }
  print(keys->public_key().text() + '\n');
  complain("wrote " + arguments.name + ".key_secret, for its owner alone, and " + arguments.name +
           ".key, to hand out");
  return kExitOk;
}

}  // namespace

void add_keygen(CLI::App& app, int& exit_code) {
  const auto arguments = std::make_shared<KeygenArguments>();
  CLI::App* command = app.add_subcommand("keygen", "Make a key pair for ZeroMQ (CURVE)");
  command->add_option("NAME", arguments->name, "Writes NAME.key and NAME.key_secret")->required();
  command->add_flag("--force", arguments->force, "Replace files that are there");
  command->footer(
      "Examples:\n"
      "  spanwire keygen keys/worker\n"
      "  spanwire keygen keys/frontend >> allowed-clients\n"
      "  spanwire keygen --force /etc/spanwire/worker\n"
      "\n"
      "Prints the public key, as a list of allowed keys wants it.  Each process needs a pair of "
      "its\n"
      "own: the secret file stays with it, a listener's public file goes to who connects, a\n"
      "client's public key goes into the listener's list.  The files are those of CZMQ and of\n"
      "pyzmq's zmq.auth.");
  command->callback([arguments, &exit_code] { exit_code = keygen(*arguments); });
}

}  // namespace spanwire::tools
