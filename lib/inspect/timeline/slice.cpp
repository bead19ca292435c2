#include "lib/inspect/timeline/slice.hpp"

#include <cstring>
#include <type_traits>

namespace spanwire::inspect {
namespace {

static_assert(std::is_trivially_copyable_v<SliceHead>);

void append_sized(std::string_view text, std::string& out) {
  const auto bytes = static_cast<std::uint32_t>(text.size());
  out.append(reinterpret_cast<const char*>(&bytes), sizeof bytes);
  out.append(text);
}

std::string_view take_sized(std::string_view& bytes) noexcept {
  std::uint32_t size = 0;
  std::memcpy(&size, bytes.data(), sizeof size);
  const std::string_view text = bytes.substr(sizeof size, size);
  bytes.remove_prefix(sizeof size + size);
  return text;
}

}  // namespace

void encode_slice(const SliceHead& head, std::string_view body, std::string_view events,
                  std::string& out) {
  out.assign(reinterpret_cast<const char*>(&head), sizeof head);
  append_sized(body, out);
  out.append(events);
}

Slice decode_slice(std::string_view bytes) noexcept {
  Slice slice;
  std::memcpy(static_cast<void*>(&slice.head), bytes.data(), sizeof slice.head);
  bytes.remove_prefix(sizeof slice.head);
  slice.body = take_sized(bytes);
  slice.events = bytes;
  return slice;
}

void append_event(const SliceEvent& event, std::string& events) {
  events.append(reinterpret_cast<const char*>(&event.time_ns), sizeof event.time_ns);
  append_sized(event.body, events);
}

bool take_event(std::string_view& events, SliceEvent& event) noexcept {
  if (events.empty()) return false;
  std::memcpy(&event.time_ns, events.data(), sizeof event.time_ns);
  events.remove_prefix(sizeof event.time_ns);
  event.body = take_sized(events);
  return true;
}

}  // namespace spanwire::inspect
