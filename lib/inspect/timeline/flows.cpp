#include "lib/inspect/timeline/flows.hpp"

#include <algorithm>
#include <cstring>
#include <type_traits>

namespace spanwire::inspect {
namespace {

// Definitions come before what refers to them.
constexpr std::uint64_t kReferenceBit = std::uint64_t{1} << 63;
constexpr std::uint64_t kOddFactor = 0x9E37'79B9'7F4A'7C15;

std::uint64_t word_at(const std::uint8_t* bytes) noexcept {
  std::uint64_t word = 0;
  std::memcpy(&word, bytes, sizeof word);
  return word;
}

template <class Item>
std::string_view bytes_of(const Item& item) noexcept {
  static_assert(std::is_trivially_copyable_v<Item>);
  return {reinterpret_cast<const char*>(&item), sizeof item};
}

SortKey key_of(const SliceHead& head) noexcept { return Slice{head, {}, {}}.key(); }

}  // namespace

Result<void> Flows::refer(const trace::TraceId& trace, const trace::SpanId& id,
                          const Reference& reference) {
  std::uint64_t order = ++order_;
  if (reference.role != Role::definition) {
    // Those of one source together, so that those of its duplicate follow them.
    const std::uint64_t source =
        (reference.slice.id.low_64() ^ static_cast<std::uint64_t>(reference.role)) * kOddFactor;
    order = kReferenceBit | (source >> 33) << 32 | (order & 0xFFFF'FFFF);
  }
  const SortKey key = {word_at(trace.bytes().data()), word_at(trace.bytes().data() + 8),
                       word_at(id.bytes().data()), order};
  return references_->add(key, bytes_of(reference));
}

Result<void> Flows::add(const SliceHead& slice, const Span& span) {
  const ClockSpan clock(span);
  Reference reference{slice,          std::hash<std::string>()(span.name),
                      clock.measured, clock.kind,
                      clock.failed,   Role::definition};
  SPANWIRE_TRY_VOID(refer(span.trace, span.id, reference));
  reference.role = Role::child;
  if (!span.parent.is_zero()) SPANWIRE_TRY_VOID(refer(span.trace, span.parent, reference));
  reference.role = Role::link;
  for (const SpanLink& link : span.links) {
    SPANWIRE_TRY_VOID(refer(link.trace, link.span, reference));
  }
  return {};
}

// Under the trace of zeros, which no span has.
Result<void> Flows::add_launch(const SliceHead& slice, std::uint64_t correlation) {
  return references_->add({0, 0, correlation, ++order_}, bytes_of(Reference{slice}));
}

Result<void> Flows::add_launched(const SliceHead& slice, std::uint64_t correlation) {
  Reference reference{slice};
  reference.role = Role::launched;
  return references_->add({0, 0, correlation, ++order_ | kReferenceBit}, bytes_of(reference));
}

ClockSpan Flows::Reference::clock() const noexcept {
  ClockSpan span;
  span.start_ns = slice.start_ns;
  span.end_ns = slice.end_ns;
  span.kind = kind;
  span.failed = failed;
  span.measured = clock_offset;
  return span;
}

// A child on another track: one that lies on its parent needs none.
bool Flows::wants_arrow(const Reference& target, const Reference& source) noexcept {
  if (source.role != Role::child) return target.slice.number != source.slice.number;
  if (target.slice.process != source.slice.process) return true;
  if (target.kind == SpanKind::client && source.kind == SpanKind::server) return true;
  if (target.kind == SpanKind::producer && source.kind == SpanKind::consumer) return true;
  return source.slice.thread != kNoThread && source.slice.thread != target.slice.thread;
}

bool Flows::same(const Reference& a, const Reference& b) noexcept {
  return a.role == b.role && a.slice.trace == b.slice.trace && a.slice.id == b.slice.id &&
         a.slice.parent == b.slice.parent && a.slice.process == b.slice.process &&
         a.slice.start_ns == b.slice.start_ns && a.slice.end_ns == b.slice.end_ns &&
         a.name_hash == b.name_hash;
}

Result<void> Flows::mark(const SliceHead& slice, std::uint64_t id, Mark mark) {
  SortKey key = key_of(slice);
  key[3] = ++order_;
  const std::uint64_t payload[] = {id, static_cast<std::uint64_t>(mark)};
  return ends_->add(key, bytes_of(payload));
}

Result<void> Flows::connect(const Reference& target, const Reference& source,
                            ConvertReport& report) {
  const std::uint64_t id = ++report.flows;
  const bool forward = key_of(target.slice) < key_of(source.slice);
  SPANWIRE_TRY_VOID(mark(target.slice, id, forward ? Mark::flow_starts : Mark::flow_ends));
  return mark(source.slice, id, forward ? Mark::flow_ends : Mark::flow_starts);
}

Result<bool> Flows::next(SortKey& key, Reference& reference) {
  std::string_view payload;
  SPANWIRE_TRY(const bool more, references_->next(key, payload));
  if (more) std::memcpy(static_cast<void*>(&reference), payload.data(), sizeof reference);
  return more;
}

void Flows::compare(const Places& places, const Reference& parent, const Reference& child,
                    Clocks& clocks) {
  const std::uint32_t caller = parent.slice.process;
  const std::uint32_t called = child.slice.process;
  if (one_clock(places.process(caller).host, places.process(called).host)) {
    clocks.add_one_clock(caller, called);
  } else {
    clocks.add(caller, parent.clock(), called, child.clock());
  }
}

Result<void> Flows::resolve(const std::function<bool(const trace::TraceId&)>& kept,
                            const Places& places, Clocks& clocks, ConvertReport& report) {
  report.flows = report.dangling = 0;
  ends_.emplace(folder_, memory_bytes_ / 2);
  SPANWIRE_TRY_VOID(references_->rewind());
  SortKey key{};
  SortKey group{};
  Reference reference;
  Reference target;
  Reference last;
  bool defined = false;
  for (;;) {
    SPANWIRE_TRY(const bool more, next(key, reference));
    if (!more) break;
    places.move(reference.slice);
    if (!std::equal(group.begin(), group.begin() + 3, key.begin())) {
      defined = false;
      last = Reference();
    }
    group = key;
    if (reference.role == Role::definition) {
      if (defined && !reference.slice.id.is_zero() && same(target, reference)) {
        SPANWIRE_TRY_VOID(mark(reference.slice, 0, Mark::duplicate));
      } else if (!defined) {
        target = reference;
        defined = true;
      }
      continue;
    }
    // A span that was read twice refers twice, and so may one that repeats a link.
    const bool again =
        last.slice.number != 0 && !reference.slice.id.is_zero() && same(last, reference);
    last = reference;
    if (again) continue;
    const bool in = kept(reference.slice.trace);
    if (!defined) {
      if (in) ++report.dangling;
      continue;
    }
    if (reference.role == Role::child) compare(places, target, reference, clocks);
    const bool drawn = kept(target.slice.trace) && (in || reference.role == Role::link);
    if (drawn && wants_arrow(target, reference)) {
      SPANWIRE_TRY_VOID(connect(target, reference, report));
    }
  }
  return {};
}

Result<void> Flows::start() {
  references_bytes_ = references_->bytes_on_disk();
  references_.reset();
  SPANWIRE_TRY_VOID(ends_->finish());
  SPANWIRE_TRY(more_ends_, ends_->next(next_key_, next_payload_));
  return {};
}

Result<void> Flows::take(const SortKey& slice, Ends& ends) {
  ends.flows.clear();
  ends.duplicate = false;
  while (more_ends_ && std::equal(slice.begin(), slice.begin() + 3, next_key_.begin())) {
    std::uint64_t words[2];
    std::memcpy(words, next_payload_.data(), sizeof words);
    const auto mark = static_cast<Mark>(words[1]);
    if (mark == Mark::duplicate) {
      ends.duplicate = true;
    } else {
      ends.flows.push_back({words[0], mark == Mark::flow_starts});
    }
    SPANWIRE_TRY(more_ends_, ends_->next(next_key_, next_payload_));
  }
  return {};
}

}  // namespace spanwire::inspect
