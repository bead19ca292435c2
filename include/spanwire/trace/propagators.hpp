// Propagators: in which forms a context comes in and goes out, beside W3C's.  One setting for the
// process, OTEL_PROPAGATORS, that extract() and inject() follow on every carrier.
// Forms: proto-spec/trace.md.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "spanwire/trace/baggage.hpp"
#include "spanwire/trace/span_context.hpp"

namespace spanwire::trace {

enum class Propagator : std::uint8_t {
  tracecontext = 1,  // traceparent, tracestate
  baggage,           // baggage
  b3,                // b3
  b3multi,           // x-b3-traceid, x-b3-spanid, x-b3-sampled or x-b3-flags
  jaeger,            // uber-trace-id; baggage as uberctx-KEY
};
inline constexpr std::size_t kPropagators = 5;

// "b3multi"
std::string_view name(Propagator propagator) noexcept;
// Of a name in any case; empty for one that is none of these.
std::optional<Propagator> propagator_of(std::string_view name) noexcept;

// An ordered list, each at most once.  A value of four bytes.
class Propagators {
 public:
  constexpr Propagators() noexcept = default;  // none
  static constexpr Propagators w3c() noexcept {
    Propagators both;
    both.add(Propagator::tracecontext);
    both.add(Propagator::baggage);
    return both;
  }

  constexpr void add(Propagator propagator) noexcept {
    if (!has(propagator)) packed_ |= static_cast<std::uint32_t>(propagator) << (4 * size());
  }
  constexpr std::size_t size() const noexcept {
    std::size_t count = 0;
    for (std::uint32_t rest = packed_; rest != 0; rest >>= 4) ++count;
    return count;
  }
  constexpr Propagator at(std::size_t index) const noexcept {
    return static_cast<Propagator>(packed_ >> (4 * index) & 0xF);
  }
  constexpr bool has(Propagator propagator) const noexcept {
    for (std::uint32_t rest = packed_; rest != 0; rest >>= 4) {
      if ((rest & 0xF) == static_cast<std::uint32_t>(propagator)) return true;
    }
    return false;
  }
  // "tracecontext,b3"; "none".
  std::string to_string() const;
  friend constexpr bool operator==(Propagators, Propagators) noexcept = default;

 private:
  std::uint32_t packed_ = 0;
};

// A header that is no Field of carrier.hpp; the name is in lower case.  Borrowed.
struct HeaderField {
  std::string_view name;
  std::string_view value;
};

// What the process's extract() and inject() do from now on; before that W3C's two.  Of several
// contexts the first usable one in the order of the list counts, and others that say something else
// are counted (propagators_disagree).  Each is written.  Request ids are not part of it.  From any
// thread; calls that are under way see either.
void set_propagators(Propagators propagators) noexcept;
inline Propagators propagators() noexcept;

namespace detail {

extern std::atomic<Propagators> propagators_of_process;

inline bool w3c_only() noexcept { return propagators() == Propagators::w3c(); }

// The fields of contexts that are not W3C's.  Views, as FieldSink.
class ForeignFields {
 public:
  void add(std::string_view header_name, std::string_view value);
  // The context as `propagator` has it: remote, not valid if there is none or a bad one, which is
  // counted.
  SpanContext read(Propagator propagator) const noexcept;
  // Jaeger's, as the text of a baggage header; not checked.
  const std::string& baggage() const noexcept { return baggage_; }

 private:
  void add_baggage(std::string_view key, std::string_view value);

  static constexpr std::size_t kNames = 6;
  std::array<std::string_view, kNames> values_;
  std::array<std::uint8_t, kNames> counts_{};
  std::string baggage_;
};

// One context as the header fields of one foreign propagator.
class ForeignText {
 public:
  ForeignText(Propagator propagator, const SpanContext& span) noexcept;
  std::span<const HeaderField> fields() const noexcept { return {fields_.data(), count_}; }

 private:
  std::array<char, 96> text_;
  std::array<HeaderField, 3> fields_;
  std::size_t count_ = 0;
};

// A member of baggage as Jaeger's header field.
class JaegerBaggage {
 public:
  explicit JaegerBaggage(const BaggageMember& member);
  HeaderField field() const noexcept { return {name_, value_}; }

 private:
  std::string name_;
  std::string value_;
};

// Did not fit into the carrier.
void count_foreign_not_injected() noexcept;

}  // namespace detail

inline Propagators propagators() noexcept {
  return detail::propagators_of_process.load(std::memory_order_relaxed);
}

}  // namespace spanwire::trace
