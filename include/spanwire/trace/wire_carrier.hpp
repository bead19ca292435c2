// The JSON header block as a carrier: extract() from a parsed wire::HeaderList, inject() into a
// wire::HeaderWriter.  Neither allocates.  A name that stands more than once in a block has its
// last value there, as everywhere on the wire, except that two traceparents are none.
#pragma once

#include <cstring>

#include "spanwire/trace/carrier.hpp"
#include "spanwire/trace/context_counters.hpp"
#include "spanwire/wire/headers.hpp"

namespace spanwire::trace {

namespace detail {
constexpr wire::WellKnown well_known(Field field) noexcept {
  constexpr auto kFirst = static_cast<std::uint8_t>(wire::WellKnown::traceparent);
  return static_cast<wire::WellKnown>(kFirst + static_cast<std::uint8_t>(field));
}
static_assert(well_known(Field::tracestate) == wire::WellKnown::tracestate);
static_assert(well_known(Field::baggage) == wire::WellKnown::baggage);
static_assert(well_known(Field::x_request_id) == wire::WellKnown::x_request_id);
static_assert(well_known(Field::request_id) == wire::WellKnown::request_id);
}  // namespace detail

inline void for_each_field(const wire::HeaderList& headers, FieldSink& sink) {
  for (std::size_t i = 0; i < kFields; ++i) {
    const auto field = static_cast<Field>(i);
    if (const wire::Header* header = headers.find(detail::well_known(field))) {
      sink.add(field, header->value);
    }
  }
  if (headers.repeated(wire::WellKnown::traceparent)) sink.add(Field::traceparent, {});
}

// A field that does not fit into the block's limit is left out and counted.
inline void set_field(wire::HeaderWriter& writer, Field field, std::string_view value,
                      bool needs_escape) {
  if (needs_escape) {
    const Errc cause = writer.add(detail::well_known(field), value);
    if (cause != Errc::ok) count_not_injected(field);
    return;
  }
  char* const at = writer.add_in_place(detail::well_known(field), value.size());
  if (at == nullptr) return count_not_injected(field);
  std::memcpy(at, value.data(), value.size());
}

// A plain tracestate goes in one piece with traceparent: most of a member's cost is in making room.
inline char* trace_in_place(wire::HeaderWriter& writer, const ContextTexts& texts) {
  const std::string_view state = texts.tracestate;
  if (state.empty()) return writer.add_in_place(wire::WellKnown::traceparent, kTraceparentBytes);
  // Such a piece is one member to the writer: keep away from a limit that it could not enforce.
  if (texts.tracestate_needs_escape || writer.members() >= wire::kHeaderMembersMax / 2) {
    return nullptr;
  }
  // The end of one member and the beginning of the next.
  constexpr std::string_view kBetween = "\",\"tracestate\":\"";
  constexpr std::size_t kStateAt = kTraceparentBytes + kBetween.size();
  char* const room = writer.add_in_place(wire::WellKnown::traceparent, kStateAt + state.size());
  if (room == nullptr) return nullptr;
  std::memcpy(room + kTraceparentBytes, kBetween.data(), kBetween.size());
  std::memcpy(room + kStateAt, state.data(), state.size());
  return room;
}

}  // namespace spanwire::trace
