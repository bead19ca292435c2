// Writes into the record of an open span.  The limits of the provider apply: what is left out is
// counted in the record.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "lib/trace/slab.hpp"
#include "spanwire/trace/attribute.hpp"
#include "spanwire/trace/provider.hpp"

namespace spanwire::trace::detail {

// An empty record with its name; `tracestate` may be empty.
void begin_record(OpenRecord& record, Core& core, const Key& name,
                  std::string_view tracestate) noexcept;
void set_attribute(OpenRecord& record, const Key& key, const AttributeValue& value) noexcept;
void add_event(OpenRecord& record, const Key& name, std::span<const Attribute> attributes,
               std::int64_t time_ns) noexcept;
void add_link(OpenRecord& record, const Link& link) noexcept;
void set_status(OpenRecord& record, StatusCode status, std::string_view message) noexcept;
void set_name(OpenRecord& record, const Key& name) noexcept;

}  // namespace spanwire::trace::detail
