// The JSON header block as a carrier: extract() from a parsed wire::HeaderList, inject() into a
// wire::HeaderWriter.  Neither allocates.  A name that stands more than once in a block has its
// last value there, as everywhere on the wire, except that two traceparents are none.
#pragma once

#include <bit>
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
constexpr unsigned bit(wire::WellKnown known) noexcept {
  return 1u << static_cast<unsigned>(known);
}
static_assert(well_known(Field::tracestate) == wire::WellKnown::tracestate);
static_assert(well_known(Field::baggage) == wire::WellKnown::baggage);
static_assert(well_known(Field::x_request_id) == wire::WellKnown::x_request_id);
static_assert(well_known(Field::request_id) == wire::WellKnown::request_id);
}  // namespace detail

inline void for_each_field(const wire::HeaderList& headers, FieldSink& sink) {
  constexpr unsigned kFirst = static_cast<unsigned>(wire::WellKnown::traceparent);
  unsigned there = headers.known_names() >> kFirst & ((1u << kFields) - 1);
  for (; there != 0; there &= there - 1) {
    const auto field = static_cast<Field>(std::countr_zero(there));
    sink.add(field, headers.find(detail::well_known(field))->value);
  }
  if (const wire::Header* header = headers.find(wire::WellKnown::x_dynamo_request_id)) {
    sink.add_legacy_request_id(header->value);
  }
  if (headers.repeated(wire::WellKnown::traceparent)) sink.add(Field::traceparent, {});
  if (!sink.collects_foreign()) return;
  for (const wire::Header& header : headers) {
    Field field;
    if (!field_of(header.name, field)) sink.add(header.name, header.value);
  }
}

// Looks up what nearly every block has, instead of collecting all that it might have.
class HeaderFields {
 public:
  explicit HeaderFields(const wire::HeaderList& headers) noexcept : headers_(headers) {}

  unsigned count(Field field) const noexcept {
    if ((headers_.known_names() & detail::bit(detail::well_known(field))) == 0) return 0;
    const bool twice = field == Field::traceparent && headers_.repeated(detail::well_known(field));
    return twice ? FieldSink::kSeveral : 1;
  }
  std::string_view value(Field field) const noexcept {
    return headers_.find(detail::well_known(field))->value;
  }
  bool has_texts() const noexcept { return (headers_.known_names() & kTexts) != 0; }
  FieldSink all() const {
    FieldSink sink;
    for_each_field(headers_, sink);
    return sink;
  }

 private:
  static constexpr unsigned kTexts =
      detail::bit(wire::WellKnown::baggage) | detail::bit(wire::WellKnown::x_request_id) |
      detail::bit(wire::WellKnown::request_id) | detail::bit(wire::WellKnown::x_dynamo_request_id);

  const wire::HeaderList& headers_;
};
inline HeaderFields fields_of(const wire::HeaderList& headers, LookUp) noexcept {
  return HeaderFields(headers);
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

inline void set_header(wire::HeaderWriter& writer, const HeaderField& field) {
  if (writer.add(field.name, field.value) != Errc::ok) detail::count_foreign_not_injected();
}

inline char* field_in_place(wire::HeaderWriter& writer, Field field, std::size_t bytes) {
  return writer.add_in_place(detail::well_known(field), bytes);
}

}  // namespace spanwire::trace
