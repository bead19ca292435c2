// NATS headers as a carrier: extract() from parsed wire::NatsHeaders, inject() into a
// wire::NatsHeaderWriter.  Names are read in any case, whatever the peer wrote, and written in
// lower case; each field is one line.
#pragma once

#include "spanwire/trace/carrier.hpp"
#include "spanwire/trace/context_counters.hpp"
#include "spanwire/wire/nats_headers.hpp"

namespace spanwire::trace {

inline void for_each_field(const wire::NatsHeaders& headers, FieldSink& sink) {
  for (const wire::NatsHeader& line : headers) sink.add(line.name, line.value);
}

// A field that does not fit, or that a line cannot hold, is left out and counted.
inline void set_field(wire::NatsHeaderWriter& writer, Field field, std::string_view value,
                      bool /*needs_escape*/) {
  if (writer.add(name(field), value) != Errc::ok) count_not_injected(field);
}

inline void set_header(wire::NatsHeaderWriter& writer, const HeaderField& field) {
  if (writer.add(field.name, field.value) != Errc::ok) detail::count_foreign_not_injected();
}

}  // namespace spanwire::trace
