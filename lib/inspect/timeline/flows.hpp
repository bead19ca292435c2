// Finds both ends of each arrow, in bounded memory: spans and what they refer to are sorted by id,
// what belongs together is then side by side.  Internal to inspect.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "lib/inspect/clocks.hpp"
#include "lib/inspect/timeline/places.hpp"
#include "lib/inspect/timeline/slice.hpp"
#include "spanwire/inspect/convert.hpp"
#include "spanwire/inspect/model.hpp"

namespace spanwire::inspect {

// One thread at a time: add() for each slice, finish(), resolve(), also again where slices were
// moved since, start(), then take() for each slice in the order of its keys.
class Flows {
 public:
  Flows(std::string folder, std::size_t memory_bytes)
      : references_(std::in_place, folder, memory_bytes / 2),
        ends_(std::in_place, folder, memory_bytes / 2),
        folder_(std::move(folder)),
        memory_bytes_(memory_bytes) {}

  Result<void> add(const SliceHead& slice, const Span& span);
  // A slice of a profile that launches work, or is work that was launched.
  Result<void> add_launch(const SliceHead& slice, std::uint64_t correlation);
  Result<void> add_launched(const SliceHead& slice, std::uint64_t correlation);

  Result<void> finish() { return references_->finish(); }
  // Only traces for which `kept` is true, and what links to one of their spans; slices are where
  // `places` moves them.  `clocks` learns what all children and their parents say.
  Result<void> resolve(const std::function<bool(const trace::TraceId&)>& kept, const Places& places,
                       Clocks& clocks, ConvertReport& report);
  Result<void> start();

  struct Ends {
    std::vector<Flow> flows;
    bool duplicate = false;  // the same span was there before
  };
  // Replaces `ends`.
  Result<void> take(const SortKey& slice, Ends& ends);

  std::uint64_t bytes_on_disk() const noexcept {
    return references_bytes_ + ends_->bytes_on_disk();
  }

 private:
  enum class Role : std::uint8_t { definition, child, link, launched };
  // One slice in its role for the id that the record is sorted by.  There are several of each
  // slice: no more than what is needed.
  struct Reference {
    static constexpr std::int64_t kNotMeasured = std::numeric_limits<std::int64_t>::min();

    std::uint64_t number = 0;  // as in SliceHead, and those below
    std::int64_t start_ns = 0;
    std::int64_t end_ns = 0;
    std::uint64_t identity = 0;  // a hash of the span's ids and name; 0: no span's
    std::int64_t clock_offset = kNotMeasured;
    std::uint32_t process = 0;
    std::uint32_t thread = kNoThread;
    SpanKind kind = SpanKind::unspecified;
    bool failed = false;
    Role role = Role::definition;

    static Reference of(const SliceHead& slice) noexcept;
    static Reference of(const SliceHead& slice, const Span& span) noexcept;
    ClockSpan clock() const noexcept;
  };
  struct Target {
    const trace::TraceId& trace;
    const trace::SpanId& span;
  };
  // A reference as it is read: what it refers to, and the trace of its own slice.
  struct Record {
    SortKey key{};
    Reference reference;
    trace::TraceId trace;
  };
  enum class Mark : std::uint64_t { flow_starts, flow_ends, duplicate };

  // A reference of `span`; its own trace follows where the target is in another.
  Result<void> refer(const Target& target, const Reference& reference, const Span& span);
  static bool wants_arrow(const Reference& target, const Reference& source) noexcept;
  // False at the end.
  Result<bool> next(Record& record);
  static bool same(const Reference& a, const Reference& b) noexcept;
  // What a call says of two clocks.
  static void compare(const Places& places, const Reference& parent, const Reference& child,
                      Clocks& clocks);
  Result<void> connect(const Reference& target, const Reference& source, ConvertReport& report);
  Result<void> mark(const Reference& slice, std::uint64_t id, Mark mark);

  std::optional<SpillSorter> references_;  // until start()
  std::uint64_t references_bytes_ = 0;
  std::optional<SpillSorter> ends_;
  std::string folder_;
  std::size_t memory_bytes_;
  std::uint64_t order_ = 0;
  std::string payload_;
  SortKey next_key_{};
  std::string_view next_payload_;
  bool more_ends_ = false;
};

}  // namespace spanwire::inspect
