// Links Spanwire::wire alone.
#include <array>
#include <cstddef>
#include <cstdio>

#include "spanwire/wire/frame.hpp"

int main() {
  namespace wire = spanwire::wire;
  std::array<std::byte, wire::kFrameHeaderBytes> bytes{};
  wire::encode_frame_header({5, wire::StreamId::make(false, 1, 1).raw, 4, wire::kFlagEnd},
                            bytes.data());
  const spanwire::Result<wire::FrameHeader> header = wire::decode_frame_header(bytes);
  std::printf("%s\n", header && header->body_bytes == 5 ? "codec works" : "codec is broken");
  return header && header->body_bytes == 5 ? 0 : 1;
}
