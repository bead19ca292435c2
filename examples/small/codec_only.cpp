// The codec alone: reads and writes the headers block without any connection.  Links
// Spanwire::wire.
#include <cstdio>
#include <string>

#include "spanwire/wire/headers.hpp"

using namespace spanwire;  // NOLINT: an example

int main() {
  Buffer block;
  wire::HeaderWriter writer(block);
  if (writer.add("Content-Type", "text/plain") != Errc::ok) return 1;
  if (writer.add("x-request-id", "caf\xc3\xa9 \"1\"") != Errc::ok) return 1;
  const Slice bytes = Slice::copy_of(writer.finish());
  std::printf("%s\n", std::string(bytes.text()).c_str());

  wire::HeaderList headers;
  if (const Errc fault = headers.parse(bytes); fault != Errc::ok) {
    std::fprintf(stderr, "%s\n", std::string(describe(fault)).c_str());
    return 1;
  }
  const wire::Header* id = headers.find("X-Request-Id");
  return id != nullptr && id->value == "caf\xc3\xa9 \"1\"" ? 0 : 1;
}
