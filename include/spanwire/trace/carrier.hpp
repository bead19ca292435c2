// Carriers: whatever brings a context in or takes it out.  One extract and one inject serve all of
// them: a JSON header block (wire_carrier.hpp), NATS headers, gRPC metadata, the parts of a ZeroMQ
// message, maps, fields with several values a name. Fields: traceparent, tracestate, baggage,
// x-request-id, request-id.  Rules: proto-spec/trace.md. Nothing here needs a provider: what came
// in can go on, traced or not.
//
// A carrier to read from has an overload of
//   void for_each_field(const Carrier&, FieldSink&)
// that calls sink.add(name, value), or sink.add(Field, value) where it knows the field, for every
// header in order.  One that can look a field up may have
//   Fields fields_of(const Carrier&, LookUp)
// besides, whose result answers as FieldSink does and makes one when texts are there.
// A carrier to write to has an overload of
//   void set_field(Carrier&, Field, std::string_view value, bool needs_escape)
// that replaces the field, and one of remove_field(Carrier&, Field) if fields may stand there
// already; for propagators that are not W3C's, set_header(Carrier&, const HeaderField&), which
// replaces too.  One that can be written in place has
//   char* field_in_place(Carrier&, Field, std::size_t bytes)
// which adds the field and returns the room for its value, valid until the next one is added, or
// null if there is none.  All are found by argument-dependent lookup or in this namespace.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "spanwire/base/result.hpp"
#include "spanwire/trace/context.hpp"
#include "spanwire/trace/propagators.hpp"
#include "spanwire/trace/traceparent.hpp"

namespace spanwire::trace {

enum class Field : std::uint8_t { traceparent, tracestate, baggage, x_request_id, request_id };
inline constexpr std::size_t kFields = 5;
inline constexpr std::array<std::string_view, kFields> kFieldNames = {
    "traceparent", "tracestate", "baggage", "x-request-id", "request-id"};

inline constexpr std::string_view name(Field field) noexcept {
  return kFieldNames[static_cast<std::size_t>(field)];
}
// The field of a header name, compared without case; false if it is none of ours.
bool field_of(std::string_view name, Field& field) noexcept;

// A longer request id is refused.
inline constexpr std::size_t kRequestIdBytesMax = 1024;
// Of older peers, for request-id; read where that is absent, never written.
inline constexpr std::string_view kLegacyRequestId = "x-dynamo-request-id";
// True for a text that may travel as a request id: UTF-8 without control characters, not too long.
// Counts what it refuses.
bool check_request_id(std::string_view text) noexcept;

// What a remote context becomes, by who sent it.
enum class TrustRemote : std::uint8_t {
  parent,  // the parent of our spans
  link,    // a link from a new trace; baggage and request ids are taken over
  ignore,  // nothing, nor is its baggage; request ids are taken over, they only name
};

// Finds fields_of() by argument-dependent lookup in this namespace, for carriers of another.
struct LookUp {};

// Collects the fields of one carrier.  Views: valid as long as the carrier's.
class FieldSink {
 public:
  FieldSink() noexcept {}  // NOLINT(modernize-use-equals-default): leaves the values' room alone

  void add(std::string_view header_name, std::string_view value) {
    Field field;
    if (field_of(header_name, field)) {
      add(field, value);
    } else if (foreign_ != nullptr) {
      add_if_foreign(header_name, value);
    } else if (header_name.size() == kLegacyRequestId.size()) {
      add_if_legacy(header_name, value);
    }
  }
  // The value of kLegacyRequestId.
  void add_legacy_request_id(std::string_view value) noexcept {
    counts_[kLegacy] = 1;
    keep(kLegacy, value);
  }
  void add(Field field, std::string_view value) {
    const auto index = static_cast<std::size_t>(field);
    if (counts_[index] == 0) [[likely]] {
      counts_[index] = 1;
      keep(index, value);
    } else {
      counts_[index] = kSeveral;
      add_again(field, value);
    }
  }

  // Collects also what is not W3C's.
  void collect_foreign(detail::ForeignFields& fields) noexcept { foreign_ = &fields; }
  bool collects_foreign() const noexcept { return foreign_ != nullptr; }
  void leave_out(Field field) noexcept { counts_[static_cast<std::size_t>(field)] = 0; }

  // Only for a field with a count.
  std::string_view value(Field field) const noexcept {
    const auto index = static_cast<std::size_t>(field);
    return {data_[index], sizes_[index]};
  }
  // 0, 1 or kSeveral.
  static constexpr std::uint8_t kSeveral = 2;
  unsigned count(Field field) const noexcept { return counts_[static_cast<std::size_t>(field)]; }
  const FieldSink& all() const noexcept { return *this; }
  // Baggage or ids.
  bool has_texts() const noexcept {
    return (count(Field::baggage) | count(Field::x_request_id) | count(Field::request_id) |
            counts_[kLegacy]) != 0;
  }

 private:
  friend class Extracted;
  std::string_view legacy_request_id() const noexcept { return {data_[kLegacy], sizes_[kLegacy]}; }
  void add_if_legacy(std::string_view header_name, std::string_view value) noexcept;
  void add_if_foreign(std::string_view header_name, std::string_view value);
  // tracestate and baggage are lists: joined by a comma.  Of the ids the last one counts.
  void add_again(Field field, std::string_view value);
  // Behind what is there, in memory of our own.
  void join(Field field, std::string_view value);

  void keep(std::size_t index, std::string_view value) noexcept {
    data_[index] = value.data();
    sizes_[index] = value.size();
  }

  // The place of the legacy request id, behind those of the fields.
  static constexpr std::size_t kLegacy = kFields;
  // Not set without a count.
  std::array<const char*, kFields + 1> data_;
  std::array<std::size_t, kFields + 1> sizes_;
  std::array<std::uint8_t, 8> counts_{};  // one word to clear
  // Texts that are not in the carrier as they are; rare.
  struct Joined {
    std::array<std::string, kFields> texts;
  };
  std::unique_ptr<Joined> joined_;
  detail::ForeignFields* foreign_ = nullptr;
};

// What extract() found, checked.  Texts are views into the carrier, or into this object where they
// had to be joined: it and the carrier's memory outlive them.
class Extracted {
 public:
  Extracted() noexcept = default;
  // `Fields`: FieldSink, or what fields_of() gives.
  template <class Fields>
  [[gnu::always_inline]] inline Extracted(Fields&& fields, TrustRemote trust) : trust_(trust) {
    if constexpr (requires { fields.joined_; }) joined_ = std::move(fields.joined_);
    if (fields.count(Field::traceparent) != 0) {
      const Errc cause = fields.count(Field::traceparent) > 1
                             ? Errc::traceparent_repeated
                             : read_traceparent(fields.value(Field::traceparent), remote_);
      if (cause != Errc::ok) [[unlikely]] {
        refuse(cause);
      } else if (fields.count(Field::tracestate) != 0) {
        take_tracestate(fields.value(Field::tracestate));
      }
    }
    if (fields.has_texts()) take_texts(fields.all());
  }

  // As set_propagators() says.
  Extracted(FieldSink&& fields, const detail::ForeignFields& foreign, Propagators propagators,
            TrustRemote trust);

  // The parent for our spans; not valid without a usable traceparent, or if not trusted as one.
  SpanContext parent() const noexcept {
    return trust_ == TrustRemote::parent ? remote_ : SpanContext();
  }
  // What a new root links to; valid only under TrustRemote::link.
  SpanContext link() const noexcept {
    return trust_ == TrustRemote::link ? remote_ : SpanContext();
  }
  std::string_view link_tracestate() const noexcept { return link_tracestate_; }
  // For a context under parent(): tracestate is empty without one.
  const ContextTexts& texts() const noexcept { return texts_; }

  // True if all texts are views into the carrier.
  bool in_place() const noexcept { return joined_ == nullptr; }

  // A context of its own memory.  Allocates nothing when there are no texts.
  Context context(MonotonicTime deadline = {}) const;

 private:
  void refuse(Errc cause);
  void take_tracestate(std::string_view tracestate);
  void take_texts(const FieldSink& fields);
  void take_baggage(const FieldSink& fields);

  SpanContext remote_;
  ContextTexts texts_;
  std::string_view link_tracestate_;
  std::unique_ptr<FieldSink::Joined> joined_;
  TrustRemote trust_ = TrustRemote::parent;
};

namespace detail {
template <class Carrier>
[[gnu::noinline]] Extracted extract_as_set(const Carrier& carrier, TrustRemote trust) {
  FieldSink fields;
  ForeignFields foreign;
  fields.collect_foreign(foreign);
  for_each_field(carrier, fields);
  return Extracted(std::move(fields), foreign, propagators(), trust);
}
}  // namespace detail

// Reads a context.  Never fails and never touches other headers: what is bad is left out and
// counted (context_counters.hpp) by cause.
// - Two traceparents, equal or not: neither is used.
// - Without a usable traceparent there is no tracestate.
// - Of several x-request-id or request-id the last counts.
// - Where there is no request-id, good or bad, x-dynamo-request-id stands for it.
template <class Carrier>
[[gnu::always_inline]] inline Extracted extract(const Carrier& carrier,
                                                TrustRemote trust = TrustRemote::parent) {
  if (!detail::w3c_only()) [[unlikely]]
    return detail::extract_as_set(carrier, trust);
  if constexpr (requires { fields_of(carrier, LookUp()); }) {
    return Extracted(fields_of(carrier, LookUp()), trust);
  } else {
    FieldSink fields;
    for_each_field(carrier, fields);
    return Extracted(std::move(fields), trust);
  }
}

// How to write for a peer.
struct InjectOptions {
  // Dynamo drops a whole context over the random bit.
  bool sampled_bit_only = false;
  // For peers outside: baggage stays here.
  bool baggage = true;
};

namespace detail {
template <class Carrier>
[[gnu::always_inline]] inline void inject_trace(const SpanContext& span, const ContextTexts& texts,
                                                Carrier& carrier, std::uint8_t flags_mask) {
  char* room = nullptr;
  if constexpr (requires { field_in_place(carrier, Field::traceparent, kTraceparentBytes); }) {
    room = field_in_place(carrier, Field::traceparent, kTraceparentBytes);
  }
  if (room != nullptr) {
    write_traceparent(span, room, flags_mask);
  } else {
    FixedText<kTraceparentBytes> traceparent;
    write_traceparent(span, traceparent.chars.data(), flags_mask);
    set_field(carrier, Field::traceparent, traceparent.view(), false);
  }
  if (!texts.tracestate.empty()) {
    set_field(carrier, Field::tracestate, texts.tracestate, texts.tracestate_needs_escape);
  } else if constexpr (requires { remove_field(carrier, Field::tracestate); }) {
    remove_field(carrier, Field::tracestate);  // one that stands there is of another trace
  }
}
// A carrier without an overload of set_header() takes W3C's fields only.
template <class Carrier>
void inject_header(const HeaderField& field, Carrier& carrier) {
  if constexpr (requires { set_header(carrier, field); }) {
    set_header(carrier, field);
  } else {
    count_foreign_not_injected();
  }
}
// What set_propagators() asks for, but for W3C's.
template <class Carrier>
[[gnu::noinline]] void inject_all_foreign(const SpanContext& span, std::string_view baggage,
                                          Carrier& carrier) {
  const Propagators all = propagators();
  for (std::size_t i = 0; i < all.size() && span.valid(); ++i) {
    if (all.at(i) <= Propagator::baggage) continue;
    const ForeignText text(all.at(i), span);
    for (const HeaderField& field : text.fields()) inject_header(field, carrier);
  }
  if (!all.has(Propagator::jaeger)) return;
  while (const std::optional<BaggageMember> member = next_baggage_member(baggage)) {
    inject_header(JaegerBaggage(*member).field(), carrier);
  }
}
}  // namespace detail

// Writes `context`: traceparent of its current span if that is valid, with the tracestate that came
// in, byte for byte; baggage and request ids if it has them.  Other forms, or not these, as
// set_propagators() says.
template <class Carrier>
[[gnu::always_inline]] inline void inject(const Context& context, Carrier& carrier,
                                          const InjectOptions& options = {}) {
  const ContextTexts& texts = context.texts();
  const Propagators set = propagators();
  const bool w3c = set == Propagators::w3c();
  if (!w3c) [[unlikely]] {
    const std::string_view baggage = options.baggage ? texts.baggage : std::string_view();
    detail::inject_all_foreign(context.span(), baggage, carrier);
  }
  if (context.span().valid() && (w3c || set.has(Propagator::tracecontext))) {
    detail::inject_trace(context.span(), texts, carrier,
                         options.sampled_bit_only ? kFlagSampled : kFlagsKnown);
  }
  if (context.block() == nullptr) return;
  if (options.baggage && !texts.baggage.empty() && (w3c || set.has(Propagator::baggage))) {
    set_field(carrier, Field::baggage, texts.baggage, texts.baggage_needs_escape);
  }
  if (!texts.x_request_id.empty()) {
    set_field(carrier, Field::x_request_id, texts.x_request_id, true);
  }
  if (!texts.request_id.empty()) {
    set_field(carrier, Field::request_id, texts.request_id, true);
  }
}

// ---- Standard containers

// Whatever holds pairs of name and value: std::map, std::multimap, std::vector of pairs.
template <class Range>
concept PairRange = requires(const Range& range) {
  { (*range.begin()).first } -> std::convertible_to<std::string_view>;
  { (*range.begin()).second } -> std::convertible_to<std::string_view>;
  range.end();
};
// Names with a list of values each: std::map<std::string, std::vector<std::string>>.
template <class Range>
concept PairListRange = requires(const Range& range) {
  { (*range.begin()).first } -> std::convertible_to<std::string_view>;
  { *(*range.begin()).second.begin() } -> std::convertible_to<std::string_view>;
  range.end();
} && !PairRange<Range>;

template <PairRange Range>
void for_each_field(const Range& range, FieldSink& sink) {
  for (const auto& item : range) {
    sink.add(std::string_view(item.first), std::string_view(item.second));
  }
}
template <PairListRange Range>
void for_each_field(const Range& range, FieldSink& sink) {
  for (const auto& item : range) {
    for (const auto& value : item.second) {
      sink.add(std::string_view(item.first), std::string_view(value));
    }
  }
}

// True for a name of this field in any case.
bool is_field(std::string_view header_name, Field field) noexcept;

// Containers that own their strings, of one value a name or of several.
template <class Container>
concept OwningContainer =
    (PairRange<Container> &&
     std::same_as<std::remove_cvref_t<decltype(std::declval<Container&>().begin()->second)>,
                  std::string>) ||
    PairListRange<Container>;

// Takes the field out, in whatever case it stands there.
template <OwningContainer Container>
void remove_field(Container& container, Field field) {
  for (auto at = container.begin(); at != container.end();) {
    at = is_field(std::string_view(at->first), field) ? container.erase(at) : std::next(at);
  }
}
template <OwningContainer Container>
void set_field(Container& container, Field field, std::string_view value, bool /*needs_escape*/) {
  remove_field(container, field);
  using Value = std::remove_cvref_t<decltype(container.begin()->second)>;
  if constexpr (PairRange<Container>) {
    container.insert(container.end(), {std::string(name(field)), std::string(value)});
  } else {
    container.insert(container.end(), {std::string(name(field)), Value{std::string(value)}});
  }
}

// True for `name` (in lower case) in any case.
bool is_header(std::string_view header_name, std::string_view name) noexcept;
template <OwningContainer Container>
void set_header(Container& container, const HeaderField& field) {
  for (auto at = container.begin(); at != container.end();) {
    at = is_header(std::string_view(at->first), field.name) ? container.erase(at) : std::next(at);
  }
  using Value = std::remove_cvref_t<decltype(container.begin()->second)>;
  if constexpr (PairRange<Container>) {
    container.insert(container.end(), {std::string(field.name), std::string(field.value)});
  } else {
    container.insert(container.end(), {std::string(field.name), Value{std::string(field.value)}});
  }
}

}  // namespace spanwire::trace
