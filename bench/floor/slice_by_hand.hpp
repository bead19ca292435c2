// The floor of journey/slice and journey/batch_1024x8: a slice as somebody would write it who needs
// exactly this one.  Times are given, the name and keys are literals, there are three attributes
// and a link to the slice before; one fixed struct, one copy into the thread's ring, which a thread
// of its own empties.  No levels, no limits, no lock, no look at what else is open.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "bench/floor/span_by_hand.hpp"

namespace spanwire::floor {

struct Slice {
  std::array<std::uint64_t, 2> trace_id;
  std::uint64_t span_id;
  std::uint64_t parent_id;
  std::uint64_t link_id;
  std::int64_t start_ns;
  std::int64_t end_ns;
  const char* name;
  std::uint32_t flags;
  std::uint32_t attribute_count;
  Attribute attributes[3];
};

using SliceRing = Ring<Slice, 32768>;
using SliceDrain = Drain<Slice, 32768>;

// What is kept of a request.
struct SlicedRequest {
  std::array<std::uint64_t, 2> trace_id{random_word(), random_word()};
  std::uint64_t thread_id = random_word();
  std::uint64_t last_id = 0;
};

struct SliceTimes {
  const char* name;
  std::int64_t start_ns;
  std::int64_t end_ns;
};

inline void record_slice(SlicedRequest& request, const SliceTimes& times, std::int64_t step,
                         double share, std::string_view phase, SliceRing& ring) noexcept {
  Slice slice;
  slice.trace_id = request.trace_id;
  slice.span_id = random_word();
  slice.parent_id = request.thread_id;
  slice.link_id = request.last_id;
  slice.start_ns = times.start_ns;
  slice.end_ns = times.end_ns;
  slice.name = times.name;
  slice.flags = 1;
  slice.attribute_count = 3;
  slice.attributes[0] = {"decode_ct", Attribute::Type::integer, 0, {.integer = step}};
  slice.attributes[1] = {"batch.share", Attribute::Type::real, 0, {.real = share}};
  slice.attributes[2].key = "phase";
  slice.attributes[2].type = Attribute::Type::text;
  slice.attributes[2].text_bytes = copy_text(slice.attributes[2].text, phase);
  request.last_id = slice.span_id;
  ring.push(slice);
}

}  // namespace spanwire::floor
