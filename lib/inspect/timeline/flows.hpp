// Finds both ends of each arrow, in bounded memory: spans and what they refer to are sorted by id,
// what belongs together is then side by side.  Internal to inspect.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "lib/inspect/timeline/slice.hpp"
#include "spanwire/inspect/convert.hpp"
#include "spanwire/inspect/model.hpp"

namespace spanwire::inspect {

// One thread at a time: add() for each slice, resolve() once, then take() for each slice in the
// order of its keys.
class Flows {
 public:
  Flows(std::string folder, std::size_t memory_bytes)
      : references_(folder, memory_bytes / 2), ends_(std::move(folder), memory_bytes / 2) {}

  Result<void> add(const SliceHead& slice, const Span& span);
  // A slice of a profile that launches work, or is work that was launched.
  Result<void> add_launch(const SliceHead& slice, std::uint64_t correlation);
  Result<void> add_launched(const SliceHead& slice, std::uint64_t correlation);

  // Only traces for which `kept` is true, and what links to one of their spans.
  Result<void> resolve(const std::function<bool(const trace::TraceId&)>& kept,
                       ConvertReport& report);

  struct Ends {
    std::vector<Flow> flows;
    bool duplicate = false;  // the same span was there before
  };
  // Replaces `ends`.
  Result<void> take(const SortKey& slice, Ends& ends);

  std::uint64_t bytes_on_disk() const noexcept {
    return references_.bytes_on_disk() + ends_.bytes_on_disk();
  }

 private:
  enum class Role : std::uint8_t { definition, child, link, launched };
  // One slice in its role for the id that the record is sorted by.
  struct Reference {
    SliceHead slice;
    std::uint64_t name_hash = 0;
    SpanKind kind = SpanKind::unspecified;
    Role role = Role::definition;
  };
  enum class Mark : std::uint64_t { flow_starts, flow_ends, duplicate };

  Result<void> refer(const trace::TraceId& trace, const trace::SpanId& id,
                     const Reference& reference);
  static bool wants_arrow(const Reference& target, const Reference& source) noexcept;
  static bool same(const Reference& a, const Reference& b) noexcept;
  Result<void> connect(const Reference& target, const Reference& source, ConvertReport& report);
  Result<void> mark(const SliceHead& slice, std::uint64_t id, Mark mark);

  SpillSorter references_;
  SpillSorter ends_;
  std::uint64_t order_ = 0;
  SortKey next_key_{};
  std::string_view next_payload_;
  bool more_ends_ = false;
};

}  // namespace spanwire::inspect
