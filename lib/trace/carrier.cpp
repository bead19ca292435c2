#include "spanwire/trace/carrier.hpp"

#include <algorithm>
#include <utility>

#include "lib/base/ascii.hpp"
#include "lib/trace/text.hpp"
#include "spanwire/trace/baggage.hpp"
#include "spanwire/trace/context_counters.hpp"
#include "spanwire/trace/tracestate.hpp"
#include "spanwire/wire/utf8.hpp"

namespace spanwire::trace {
bool check_request_id(std::string_view text) noexcept {
  if (text.size() <= kRequestIdBytesMax && wire::printable_ascii(text)) [[likely]]
    return true;
  unsigned char all = 0;
  bool bad = text.size() > kRequestIdBytesMax;
  for (std::size_t i = 0; i < text.size() && !bad; ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    all |= c;
    bad = c < 0x20 || c == 0x7f;
  }
  if (!bad && (all < 0x80 || wire::valid_utf8(text))) return true;
  count_refused(Errc::request_id_invalid);
  return false;
}

bool is_field(std::string_view header_name, Field field) noexcept {
  return equal_without_case(header_name, name(field));
}

bool field_of(std::string_view header_name, Field& field) noexcept {
  switch (header_name.size()) {
    case 7:
      field = Field::baggage;
      break;
    case 10:
      field = lower(header_name.front()) == 't' ? Field::tracestate : Field::request_id;
      break;
    case 11:
      field = Field::traceparent;
      break;
    case 12:
      field = Field::x_request_id;
      break;
    default:
      return false;
  }
  return equal_without_case(header_name, name(field));
}

void FieldSink::add_if_legacy(std::string_view header_name, std::string_view value) noexcept {
  if (equal_without_case(header_name, kLegacyRequestId)) add_legacy_request_id(value);
}

void FieldSink::add_if_foreign(std::string_view header_name, std::string_view value) {
  if (header_name.size() == kLegacyRequestId.size()) add_if_legacy(header_name, value);
  foreign_->add(header_name, value);
}

void FieldSink::add_again(Field field, std::string_view value) {
  const auto index = static_cast<std::size_t>(field);
  if (field != Field::tracestate && field != Field::baggage) {
    return keep(index, value);
  }
  join(field, value);
}

void FieldSink::join(Field field, std::string_view value) {
  const auto index = static_cast<std::size_t>(field);
  if (joined_ == nullptr) joined_ = std::make_unique<Joined>();
  std::string& text = joined_->texts[index];
  if (counts_[index] == 0) text.clear();
  if (counts_[index] != 0) {
    // Blanks around a value are the carrier's.
    if (text.empty()) text = trimmed(this->value(field));
    text += ',';
  }
  counts_[index] = std::max<std::uint8_t>(counts_[index], 1);
  text += trimmed(value);
  keep(index, text);
}

bool is_header(std::string_view header_name, std::string_view name) noexcept {
  return equal_without_case(header_name, name);
}

Extracted::Extracted(FieldSink&& fields, const detail::ForeignFields& foreign,
                     Propagators propagators, TrustRemote trust)
    : trust_(trust) {
  if (!propagators.has(Propagator::baggage)) fields.leave_out(Field::baggage);
  if (propagators.has(Propagator::jaeger) && !foreign.baggage().empty()) {
    fields.join(Field::baggage, foreign.baggage());
  }
  joined_ = std::move(fields.joined_);
  const auto read_w3c = [&fields, this] {
    SpanContext span;
    if (fields.count(Field::traceparent) == 0) return span;
    const Errc cause = fields.count(Field::traceparent) > 1
                           ? Errc::traceparent_repeated
                           : read_traceparent(fields.value(Field::traceparent), span);
    if (cause != Errc::ok) refuse(cause);
    return span;
  };
  bool b3_read = false;
  for (std::size_t i = 0; i < propagators.size(); ++i) {
    const Propagator propagator = propagators.at(i);
    if (propagator == Propagator::baggage) continue;
    // One reading serves both forms of B3.
    const bool b3 = propagator == Propagator::b3 || propagator == Propagator::b3multi;
    if (b3 && std::exchange(b3_read, true)) continue;
    const bool w3c = propagator == Propagator::tracecontext;
    const SpanContext span = w3c ? read_w3c() : foreign.read(propagator);
    if (!span.valid()) continue;
    if (remote_.valid()) {
      const bool same = span.trace_id() == remote_.trace_id() &&
                        span.span_id() == remote_.span_id() && span.sampled() == remote_.sampled();
      if (!same) refuse(Errc::propagators_disagree);
      continue;
    }
    remote_ = span;
    if (w3c && fields.count(Field::tracestate) != 0) {
      take_tracestate(fields.value(Field::tracestate));
    }
  }
  if (fields.has_texts()) take_texts(fields.all());
}

void Extracted::refuse(Errc cause) { count_refused(cause); }

void Extracted::take_texts(const FieldSink& fields) {
  if (fields.count(Field::baggage) != 0 && trust_ != TrustRemote::ignore) take_baggage(fields);
  if (fields.count(Field::x_request_id) != 0) {
    const std::string_view id = trimmed(fields.value(Field::x_request_id));
    if (check_request_id(id)) texts_.x_request_id = id;
  }
  // The legacy name only where there is no word of the other, as Dynamo's workers read it.
  const bool legacy = fields.count(Field::request_id) == 0;
  if (!legacy || fields.counts_[FieldSink::kLegacy] != 0) {
    const std::string_view id =
        trimmed(legacy ? fields.legacy_request_id() : fields.value(Field::request_id));
    if (check_request_id(id)) texts_.request_id = id;
  }
}

void Extracted::take_tracestate(std::string_view tracestate) {
  if (trust_ == TrustRemote::ignore) return;
  const TracestateCheck state = check_tracestate(tracestate);
  if (state.cause != Errc::ok) return count_refused(state.cause);
  if (trust_ == TrustRemote::link) {
    link_tracestate_ = state.text;
    return;
  }
  texts_.tracestate = state.text;
  texts_.tracestate_needs_escape = state.needs_escape;
}

void Extracted::take_baggage(const FieldSink& fields) {
  std::string rebuilt;
  const BaggageCheck baggage = check_baggage(fields.value(Field::baggage), rebuilt);
  if (baggage.cause != Errc::ok) count_refused(baggage.cause);
  texts_.baggage = baggage.text;
  texts_.baggage_needs_escape = baggage.needs_escape;
  if (rebuilt.empty()) return;
  if (joined_ == nullptr) joined_ = std::make_unique<FieldSink::Joined>();
  std::string& kept = joined_->texts[static_cast<std::size_t>(Field::baggage)];
  kept = std::move(rebuilt);
  texts_.baggage = kept;
}

}  // namespace spanwire::trace
