// The fields of a frame header, unchecked: one place for their offsets.
#pragma once

#include "spanwire/wire/endian.hpp"
#include "spanwire/wire/frame.hpp"

namespace spanwire::wire {

// kFrameHeaderBytes are there.
inline FrameHeader load_frame_header(const std::byte* from) noexcept {
  FrameHeader header;
  header.body_bytes = load_big<std::uint32_t>(from);
  header.stream_id = load_big<std::uint32_t>(from + 4);
  header.type = std::to_integer<std::uint8_t>(from[8]);
  header.flags = std::to_integer<std::uint8_t>(from[9]);
  return header;
}

inline std::uint16_t reserved_bits(const std::byte* from) noexcept {
  return load_big<std::uint16_t>(from + 10);
}

}  // namespace spanwire::wire
