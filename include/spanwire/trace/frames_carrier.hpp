// A multipart message as a carrier, as ZeroMQ has them: one of its parts is a JSON header block.
//
//   trace::FramesCarrier carrier;
//   carrier.parse(parts, 1);          // path | headers | payload
//   trace::extract(carrier);
#pragma once

#include <cstddef>
#include <span>

#include "spanwire/base/slice.hpp"
#include "spanwire/trace/wire_carrier.hpp"

namespace spanwire::trace {

// About 5 KiB: make one and use it again.  Parts stay as they are while it is used.  One thread at
// a time.
class FramesCarrier {
 public:
  FramesCarrier() noexcept {}  // NOLINT(modernize-use-equals-default): leaves the room alone

  // Reads part `headers_at`.  wrong_part_count if there is none: a message without headers carries
  // no context.  Else as HeaderList::parse(), and what could be kept is used nevertheless.
  Errc parse(std::span<const ByteView> parts, std::size_t headers_at) {
    headers_.clear();
    if (headers_at >= parts.size()) return Errc::wrong_part_count;
    return headers_.parse(parts[headers_at]);
  }
  const wire::HeaderList& headers() const noexcept { return headers_; }

 private:
  wire::HeaderList headers_;
};

inline void for_each_field(const FramesCarrier& carrier, FieldSink& sink) {
  for_each_field(carrier.headers(), sink);
}

}  // namespace spanwire::trace
