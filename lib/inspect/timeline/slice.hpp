// What a timeline is made of, between reading and writing.  Internal to inspect.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "lib/inspect/timeline/spill_sorter.hpp"
#include "spanwire/trace/ids.hpp"

namespace spanwire::inspect {

inline constexpr std::uint32_t kNoThread = 0xFFFF'FFFF;

// The fixed part of a slice, copied as it is.
struct SliceHead {
  std::uint64_t number = 0;  // in the order of reading, from 1
  std::int64_t start_ns = 0;
  std::int64_t end_ns = 0;
  trace::TraceId trace;
  trace::SpanId id;
  trace::SpanId parent;
  std::uint32_t process = 0;         // of Places
  std::uint32_t thread = kNoThread;  // of Places; kNoThread: its parent's
  std::uint32_t counters = 0;        // a bit for each that counts it
  bool by_time = false;              // nests by its times: a slice of a profile
};

// By start, the longer first, the later read first: a span is written at its end, so that of two
// with equal times the parent comes later in a file.  Of a SliceHead, or what has its number and
// times.
template <class Head>
SortKey slice_key(const Head& head) noexcept {
  return {static_cast<std::uint64_t>(head.start_ns), ~static_cast<std::uint64_t>(head.end_ns),
          ~head.number, 0};
}

// Views into what was read; valid as long as that.
struct Slice {
  SliceHead head;
  std::string_view body;    // name and attributes in the writer's format
  std::string_view events;  // see SliceEvents

  SortKey key() const noexcept { return slice_key(head); }
};

// Replaces `out` by the slice as bytes; `events` as append_event() has made it.
void encode_slice(const SliceHead& head, std::string_view body, std::string_view events,
                  std::string& out);
// Of bytes that encode_slice() made.
Slice decode_slice(std::string_view bytes) noexcept;

struct SliceEvent {
  std::int64_t time_ns = 0;
  std::string_view body;
};
void append_event(const SliceEvent& event, std::string& events);
// Takes one from the front; false at the end.
bool take_event(std::string_view& events, SliceEvent& event) noexcept;

// An arrow between two slices.  The earlier one's end of it starts.
struct Flow {
  std::uint64_t id = 0;  // from 1
  bool starts = false;
};

}  // namespace spanwire::inspect
