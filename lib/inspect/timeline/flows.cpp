#include "lib/inspect/timeline/flows.hpp"

#include <algorithm>
#include <array>
#include <bit>
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

trace::TraceId trace_of(const std::uint64_t* words) noexcept {
  std::array<std::uint8_t, trace::TraceId::kBytes> bytes;
  std::memcpy(bytes.data(), words, sizeof bytes);
  return trace::TraceId(bytes);
}

// Of what makes a span that one and is not in a Reference.
std::uint64_t identity_of(const Span& span) noexcept {
  if (span.id.is_zero()) return 0;
  const std::uint8_t* const trace = span.trace.bytes().data();
  std::uint64_t hash = std::hash<std::string>()(span.name);
  for (const std::uint64_t word :
       {word_at(trace), word_at(trace + 8), word_at(span.id.bytes().data()),
        word_at(span.parent.bytes().data())}) {
    hash = (std::rotl(hash, 29) ^ word) * kOddFactor;
  }
  return hash | 1;
}

}  // namespace

Flows::Reference Flows::Reference::of(const SliceHead& slice) noexcept {
  Reference reference;
  reference.number = slice.number;
  reference.start_ns = slice.start_ns;
  reference.end_ns = slice.end_ns;
  reference.process = slice.process;
  reference.thread = slice.thread;
  return reference;
}

Flows::Reference Flows::Reference::of(const SliceHead& slice, const Span& span) noexcept {
  const ClockSpan clock(span);
  Reference reference = of(slice);
  reference.identity = identity_of(span);
  reference.clock_offset = clock.measured.value_or(kNotMeasured);
  reference.kind = clock.kind;
  reference.failed = clock.failed;
  return reference;
}

Result<void> Flows::refer(const Target& target, const Reference& reference, const Span& span) {
  std::uint64_t order = ++order_;
  if (reference.role != Role::definition) {
    // Those of one source together, so that those of its duplicate follow them.
    const std::uint64_t source =
        (span.id.low_64() ^ static_cast<std::uint64_t>(reference.role)) * kOddFactor;
    order = kReferenceBit | (source >> 33) << 32 | (order & 0xFFFF'FFFF);
  }
  const std::uint8_t* const trace = target.trace.bytes().data();
  const SortKey key = {word_at(trace), word_at(trace + 8), word_at(target.span.bytes().data()),
                       order};
  if (target.trace == span.trace) return references_->add(key, bytes_of(reference));
  payload_.assign(bytes_of(reference)).append(bytes_of(span.trace.bytes()));
  return references_->add(key, payload_);
}

Result<void> Flows::add(const SliceHead& slice, const Span& span) {
  Reference reference = Reference::of(slice, span);
  SPANWIRE_TRY_VOID(refer({span.trace, span.id}, reference, span));
  reference.role = Role::child;
  if (!span.parent.is_zero()) SPANWIRE_TRY_VOID(refer({span.trace, span.parent}, reference, span));
  reference.role = Role::link;
  for (const SpanLink& link : span.links) {
    SPANWIRE_TRY_VOID(refer({link.trace, link.span}, reference, span));
  }
  return {};
}

// Under the trace of zeros, which no span has.
Result<void> Flows::add_launch(const SliceHead& slice, std::uint64_t correlation) {
  return references_->add({0, 0, correlation, ++order_}, bytes_of(Reference::of(slice)));
}

Result<void> Flows::add_launched(const SliceHead& slice, std::uint64_t correlation) {
  Reference reference = Reference::of(slice);
  reference.role = Role::launched;
  return references_->add({0, 0, correlation, ++order_ | kReferenceBit}, bytes_of(reference));
}

ClockSpan Flows::Reference::clock() const noexcept {
  ClockSpan span;
  span.start_ns = start_ns;
  span.end_ns = end_ns;
  span.kind = kind;
  span.failed = failed;
  if (clock_offset != kNotMeasured) span.measured = clock_offset;
  return span;
}

// A child on another track: one that lies on its parent needs none.
bool Flows::wants_arrow(const Reference& target, const Reference& source) noexcept {
  if (source.role != Role::child) return target.number != source.number;
  if (target.process != source.process) return true;
  if (target.kind == SpanKind::client && source.kind == SpanKind::server) return true;
  if (target.kind == SpanKind::producer && source.kind == SpanKind::consumer) return true;
  return source.thread != kNoThread && source.thread != target.thread;
}

// One span, read twice.
bool Flows::same(const Reference& a, const Reference& b) noexcept {
  return a.identity != 0 && a.identity == b.identity && a.role == b.role &&
         a.process == b.process && a.start_ns == b.start_ns && a.end_ns == b.end_ns;
}

Result<void> Flows::mark(const Reference& slice, std::uint64_t id, Mark mark) {
  SortKey key = slice_key(slice);
  key[3] = ++order_;
  const std::uint64_t payload[] = {id, static_cast<std::uint64_t>(mark)};
  return ends_->add(key, bytes_of(payload));
}

Result<void> Flows::connect(const Reference& target, const Reference& source,
                            ConvertReport& report) {
  const std::uint64_t id = ++report.flows;
  const bool forward = slice_key(target) < slice_key(source);
  SPANWIRE_TRY_VOID(mark(target, id, forward ? Mark::flow_starts : Mark::flow_ends));
  return mark(source, id, forward ? Mark::flow_ends : Mark::flow_starts);
}

Result<bool> Flows::next(Record& record) {
  std::string_view payload;
  SPANWIRE_TRY(const bool more, references_->next(record.key, payload));
  if (!more) return false;
  std::memcpy(static_cast<void*>(&record.reference), payload.data(), sizeof record.reference);
  payload.remove_prefix(sizeof record.reference);
  std::uint64_t words[2] = {record.key[0], record.key[1]};
  if (!payload.empty()) std::memcpy(words, payload.data(), sizeof words);
  record.trace = trace_of(words);
  return true;
}

void Flows::compare(const Places& places, const Reference& parent, const Reference& child,
                    Clocks& clocks) {
  if (one_clock(places.process(parent.process).host, places.process(child.process).host)) {
    clocks.add_one_clock(parent.process, child.process);
  } else {
    clocks.add(parent.process, parent.clock(), child.process, child.clock());
  }
}

Result<void> Flows::resolve(const std::function<bool(const trace::TraceId&)>& kept,
                            const Places& places, Clocks& clocks, ConvertReport& report) {
  report.flows = report.dangling = 0;
  ends_.emplace(folder_, memory_bytes_ / 2);
  SPANWIRE_TRY_VOID(references_->rewind());
  Record record;
  Record target;
  Reference last;
  SortKey group{};
  bool defined = false;
  for (;;) {
    SPANWIRE_TRY(const bool more, next(record));
    if (!more) break;
    Reference& reference = record.reference;
    places.move(reference);
    if (!std::equal(group.begin(), group.begin() + 3, record.key.begin())) {
      defined = false;
      last = Reference();
    }
    group = record.key;
    if (reference.role == Role::definition) {
      if (defined && same(target.reference, reference)) {
        SPANWIRE_TRY_VOID(mark(reference, 0, Mark::duplicate));
      } else if (!defined) {
        target = record;
        defined = true;
      }
      continue;
    }
    // A span that was read twice refers twice, and so may one that repeats a link.
    const bool again = same(last, reference);
    last = reference;
    if (again) continue;
    const bool in = kept(record.trace);
    if (!defined) {
      if (in) ++report.dangling;
      continue;
    }
    if (reference.role == Role::child) compare(places, target.reference, reference, clocks);
    const bool drawn = kept(target.trace) && (in || reference.role == Role::link);
    if (drawn && wants_arrow(target.reference, reference)) {
      SPANWIRE_TRY_VOID(connect(target.reference, reference, report));
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
