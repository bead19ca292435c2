#include "spanwire/trace/propagators.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "lib/base/ascii.hpp"
#include "lib/trace/text.hpp"
#include "spanwire/base/counters.hpp"
#include "spanwire/trace/context_counters.hpp"

namespace spanwire::trace {
namespace {

constexpr std::array<std::string_view, kPropagators> kNames = {"tracecontext", "baggage", "b3",
                                                               "b3multi", "jaeger"};

// In the order of ForeignFields' places.
enum Place : std::size_t { kB3, kTraceId, kSpanId, kSampled, kFlags, kUber };
constexpr std::array<std::string_view, 6> kFieldNamesForeign = {
    "b3", "x-b3-traceid", "x-b3-spanid", "x-b3-sampled", "x-b3-flags", "uber-trace-id"};

constexpr std::string_view kUberContext = "uberctx-";

constinit NamedCounter not_injected_foreign("spanwire.trace.not_injected.propagator");

// 0 to 15, or 16.
constexpr unsigned digit(char c) noexcept {
  if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
  const char letter = lower(c);
  if (letter >= 'a' && letter <= 'f') return static_cast<unsigned>(letter - 'a' + 10);
  return 16;
}

// Digits of either case, right-aligned: shorter ids have zeros on the left.
template <class Id>
bool read_id(std::string_view text, Id& id) noexcept {
  std::array<std::uint8_t, Id::kBytes> bytes{};
  if (text.empty() || text.size() > 2 * bytes.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const unsigned value = digit(text[text.size() - 1 - i]);
    if (value > 15) return false;
    bytes[bytes.size() - 1 - i / 2] |= static_cast<std::uint8_t>(value << (i % 2 == 0 ? 0 : 4));
  }
  id = Id(bytes);
  return true;
}

std::string_view next_part(std::string_view& rest, std::string_view separator) noexcept {
  const std::size_t at = rest.find(separator);
  const std::string_view part = rest.substr(0, at);
  rest.remove_prefix(at == std::string_view::npos ? rest.size() : at + separator.size());
  return part;
}

// What was decided.  Who debugs wants to see it.
constexpr std::uint8_t kNo = 0;
constexpr std::uint8_t kYes = kFlagSampled;
constexpr std::uint8_t kDebug = kFlagSampled | kFlagDebug;

Errc make(const TraceId& trace_id, const SpanId& span_id, std::uint8_t decided, SpanContext& span) {
  if (trace_id.is_zero()) return Errc::trace_id_zero;
  if (span_id.is_zero()) return Errc::span_id_zero;
  span = SpanContext(trace_id, span_id, decided, true);
  return Errc::ok;
}

// Of B3 an id has 16 digits, a trace id also 32.
bool read_b3_ids(std::string_view trace_text, std::string_view span_text, TraceId& trace_id,
                 SpanId& span_id) noexcept {
  const bool lengths =
      (trace_text.size() == 32 || trace_text.size() == 16) && span_text.size() == 16;
  return lengths && read_id(trace_text, trace_id) && read_id(span_text, span_id);
}

// trace id "-" span id ["-" sampling ["-" parent]]; or a sampling state alone, which names no
// trace.
Errc read_b3(std::string_view text, SpanContext& span) {
  if (text == "0" || text == "1" || text == "d") return Errc::ok;
  TraceId trace_id;
  SpanId span_id;
  const std::string_view trace_text = next_part(text, "-");
  const std::string_view span_text = next_part(text, "-");
  const std::string_view state = next_part(text, "-");
  SpanId parent;
  const bool good = read_b3_ids(trace_text, span_text, trace_id, span_id) &&
                    (state.empty() || state == "0" || state == "1" || state == "d") &&
                    (text.empty() || (text.size() == 16 && read_id(text, parent)));
  if (!good) return Errc::b3_malformed;
  return make(trace_id, span_id, state == "d" ? kDebug : state == "1" ? kYes : kNo, span);
}

Errc read_b3_fields(std::string_view trace_text, std::string_view span_text,
                    std::string_view sampled, std::string_view flags, SpanContext& span) {
  TraceId trace_id;
  SpanId span_id;
  const bool debug = sampled == "d" || flags == "1";
  const bool yes = sampled == "1" || equal_without_case(sampled, "true");
  const bool no = sampled.empty() || sampled == "0" || equal_without_case(sampled, "false");
  const bool known = yes || no || sampled == "d";
  if (!known || !read_b3_ids(trace_text, span_text, trace_id, span_id)) return Errc::b3_malformed;
  return make(trace_id, span_id, debug ? kDebug : yes ? kYes : kNo, span);
}

// trace id ":" span id ":" parent ":" flags; the colons may be percent-encoded, zeros on the left
// left out.
Errc read_uber(std::string_view text, SpanContext& span) {
  const std::string_view colon = text.find(':') != std::string_view::npos     ? ":"
                                 : text.find("%3A") != std::string_view::npos ? "%3A"
                                                                              : "%3a";
  TraceId trace_id;
  SpanId span_id;
  const bool ids =
      read_id(next_part(text, colon), trace_id) && read_id(next_part(text, colon), span_id);
  static_cast<void>(next_part(text, colon));  // the parent's, which nobody uses
  if (!ids || text.empty() || text.size() > 2) return Errc::uber_trace_id_malformed;
  unsigned flags = 0;
  for (const char c : text) {
    if (digit(c) > 15) return Errc::uber_trace_id_malformed;
    flags = flags * 16 + digit(c);
  }
  const bool debug = (flags & 2) != 0;
  return make(trace_id, span_id, debug ? kDebug : (flags & 1) != 0 ? kYes : kNo, span);
}

}  // namespace

std::string_view name(Propagator propagator) noexcept {
  return kNames[static_cast<std::size_t>(propagator) - 1];
}

std::optional<Propagator> propagator_of(std::string_view text) noexcept {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (equal_without_case(text, kNames[i])) return static_cast<Propagator>(i + 1);
  }
  return std::nullopt;
}

std::string Propagators::to_string() const {
  std::string text;
  for (std::size_t i = 0; i < size(); ++i) {
    if (i != 0) text += ',';
    text += name(at(i));
  }
  return text.empty() ? "none" : text;
}

void set_propagators(Propagators propagators) noexcept {
  detail::propagators_of_process.store(propagators, std::memory_order_relaxed);
}

namespace detail {

constinit std::atomic<Propagators> propagators_of_process{Propagators::w3c()};

void ForeignFields::add(std::string_view header_name, std::string_view value) {
  const std::string_view key =
      header_name.substr(std::min(header_name.size(), kUberContext.size()));
  if (!key.empty() &&
      equal_without_case(header_name.substr(0, kUberContext.size()), kUberContext)) {
    return add_baggage(key, trimmed(value));
  }
  for (std::size_t place = 0; place < kNames; ++place) {
    if (!equal_without_case(header_name, kFieldNamesForeign[place])) continue;
    values_[place] = trimmed(value);
    if (counts_[place] < 2) ++counts_[place];
    return;
  }
}

// Values are percent-encoded, or should be.
void ForeignFields::add_baggage(std::string_view key, std::string_view value) {
  // What is longer is counted and cut where all baggage is checked: a little more is enough.
  if (baggage_.size() > kBaggageBytesMax) return;
  if (!baggage_.empty()) baggage_ += ',';
  std::transform(key.begin(), key.end(), std::back_inserter(baggage_), lower);
  baggage_ += '=';
  baggage_ += percent_encode(percent_decode(value));
}

SpanContext ForeignFields::read(Propagator propagator) const noexcept {
  SpanContext span;
  Errc cause = Errc::ok;
  const auto once = [this](std::size_t place) { return counts_[place] < 2; };
  if (propagator == Propagator::jaeger) {
    if (counts_[kUber] != 0) {
      cause = once(kUber) ? read_uber(values_[kUber], span) : Errc::uber_trace_id_malformed;
    }
  } else if (counts_[kB3] != 0) {
    // The single field takes precedence, whichever of the two is set.
    cause = once(kB3) ? read_b3(values_[kB3], span) : Errc::b3_malformed;
  } else if ((counts_[kTraceId] | counts_[kSpanId]) != 0) {
    const bool all_once = once(kTraceId) && once(kSpanId) && once(kSampled) && once(kFlags);
    cause = all_once ? read_b3_fields(values_[kTraceId], values_[kSpanId], values_[kSampled],
                                      values_[kFlags], span)
                     : Errc::b3_malformed;
  }
  if (cause != Errc::ok) count_refused(cause);
  return span;
}

ForeignText::ForeignText(Propagator propagator, const SpanContext& span) noexcept {
  const bool sampled = span.sampled();
  const bool debug = span.debug();
  char* const at = text_.data();
  span.trace_id().write_hex(at);
  char* const second = at + TraceId::kHexChars;
  if (propagator == Propagator::b3multi) {
    span.span_id().write_hex(second);
    second[SpanId::kHexChars] = sampled ? '1' : '0';
    fields_[0] = {kFieldNamesForeign[kTraceId], {at, TraceId::kHexChars}};
    fields_[1] = {kFieldNamesForeign[kSpanId], {second, SpanId::kHexChars}};
    // Debug says that it is sampled: B3 wants one of the two.
    fields_[2] = {kFieldNamesForeign[debug ? kFlags : kSampled], {second + SpanId::kHexChars, 1}};
    count_ = 3;
    return;
  }
  const bool uber = propagator == Propagator::jaeger;
  *second = uber ? ':' : '-';
  span.span_id().write_hex(second + 1);
  const std::string_view rest = uber ? (debug     ? ":0:03"
                                        : sampled ? ":0:01"
                                                  : ":0:00")
                                     : (debug     ? "-d"
                                        : sampled ? "-1"
                                                  : "-0");
  char* const end = std::copy(rest.begin(), rest.end(), second + 1 + SpanId::kHexChars);
  fields_[0] = {kFieldNamesForeign[uber ? kUber : kB3], {at, end}};
  count_ = 1;
}

// A plus is a blank to some who read it.
JaegerBaggage::JaegerBaggage(const BaggageMember& member) : name_(kUberContext) {
  std::transform(member.key.begin(), member.key.end(), std::back_inserter(name_), lower);
  for (const char c : member.encoded_value) c == '+' ? value_ += "%2B" : value_ += c;
}

void count_foreign_not_injected() noexcept { not_injected_foreign.add(); }

}  // namespace detail
}  // namespace spanwire::trace
