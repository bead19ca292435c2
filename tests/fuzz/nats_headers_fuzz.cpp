// Any bytes as a NATS block: what is read lies within it and keeps the limits; what was read can be
// written and is read again as the same.
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "spanwire/wire/nats_headers.hpp"

using namespace spanwire;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView block(reinterpret_cast<const std::byte*>(data), size);
  wire::NatsHeaders headers;
  const Errc cause = headers.parse(block);
  require(headers.size() <= wire::kHeaderMembersMax);
  require(headers.status() == 0 || (headers.status() >= 100 && headers.status() <= 999));
  if (cause == Errc::headers_too_long) return 0;

  std::vector<std::byte> room(size + 4 * headers.size() + 64);
  wire::NatsHeaderWriter writer{MutableByteView(room)};
  bool written = true;
  for (const wire::NatsHeader& line : headers) {
    require(!line.name.empty());
    // Control characters are let through by the reader and never written.
    written = writer.add(line.name, line.value) == Errc::ok && written;
  }
  const ByteView again = writer.finish();
  wire::NatsHeaders second;
  require(second.parse(again) == Errc::ok);
  if (!written) return 0;
  require(second.size() == headers.size());
  for (std::size_t i = 0; i < headers.size(); ++i) {
    require(second.begin()[i].name == headers.begin()[i].name);
    require(second.begin()[i].value == headers.begin()[i].value);
  }
  return 0;
}
