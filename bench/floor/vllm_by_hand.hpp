// The floor of journey/vllm_request and metrics/observe_exemplar: two spans with ten events as
// somebody would write them who needs exactly these, and a histogram of one route.  Fixed structs
// on the stack with room for what these two spans hold, texts that are literals kept by address, a
// clock read for each event, one copy of each span into the thread's ring.  No order, no misuse, no
// limits, no sampling, no vocabulary, no other size; one histogram, whose threads nobody sums up.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "bench/floor/span_by_hand.hpp"

namespace spanwire::floor {

struct JourneyAttribute {
  const char* key;
  Attribute::Type type;
  std::uint32_t text_bytes;
  union {
    const char* literal;
    std::int64_t integer;
    double real;
  };
};

struct JourneyEvent {
  const char* name;
  std::int64_t time_ns;
  std::uint32_t attribute_count;
  std::array<JourneyAttribute, 10> attributes;

  void set(const char* key, const char* literal) noexcept {
    JourneyAttribute& attribute = attributes[attribute_count++];
    attribute.key = key;
    attribute.type = Attribute::Type::text;
    attribute.text_bytes = static_cast<std::uint32_t>(std::strlen(literal));
    attribute.literal = literal;
  }
  void set(const char* key, std::int64_t integer) noexcept {
    JourneyAttribute& attribute = attributes[attribute_count++];
    attribute.key = key;
    attribute.type = Attribute::Type::integer;
    attribute.integer = integer;
  }
  void set(const char* key, double real) noexcept {
    JourneyAttribute& attribute = attributes[attribute_count++];
    attribute.key = key;
    attribute.type = Attribute::Type::real;
    attribute.real = real;
  }
};

// Most of it is not written and not copied: events come last.
struct JourneySpan {
  std::array<std::uint64_t, 2> trace_id;
  std::uint64_t span_id;
  std::uint64_t parent_id;
  std::int64_t start_ns;
  std::int64_t end_ns;
  const char* name;
  std::uint32_t request_id_bytes;
  std::uint32_t attribute_count;
  std::uint32_t event_count;
  std::uint8_t kind;
  char request_id[40];
  std::array<JourneyAttribute, 6> attributes;
  std::array<JourneyEvent, 6> events;

  std::size_t bytes() const noexcept {
    return offsetof(JourneySpan, events) + event_count * sizeof(JourneyEvent);
  }
  void set(const char* key, std::int64_t integer) noexcept {
    JourneyAttribute& attribute = attributes[attribute_count++];
    attribute.key = key;
    attribute.type = Attribute::Type::integer;
    attribute.integer = integer;
  }
  void set(const char* key, double real) noexcept {
    JourneyAttribute& attribute = attributes[attribute_count++];
    attribute.key = key;
    attribute.type = Attribute::Type::real;
    attribute.real = real;
  }
};

inline void start_journey(JourneySpan& span, const std::array<std::uint64_t, 2>& trace_id,
                          std::uint64_t parent_id, const char* name, std::uint8_t kind,
                          std::string_view request_id) noexcept {
  span.trace_id = trace_id;
  span.parent_id = parent_id;
  span.span_id = random_word();
  span.name = name;
  span.kind = kind;
  span.attribute_count = 0;
  span.event_count = 0;
  span.request_id_bytes = copy_text(span.request_id, request_id);
  span.start_ns = now_ns();
}

inline void add_api_event(JourneySpan& span, const char* name, const char* type) noexcept {
  JourneyEvent& event = span.events[span.event_count++];
  event.name = name;
  event.time_ns = now_ns();
  event.attribute_count = 0;
  const double seconds = static_cast<double>(event.time_ns) / 1e9;
  event.set("event.type", type);
  event.set("ts.monotonic", seconds);
  event.set("event.ts.monotonic", seconds);
}

inline JourneyEvent& add_core_event(JourneySpan& span, const char* name, const char* type,
                                    const char* phase, std::int64_t step,
                                    const std::array<std::int64_t, 5>& progress) noexcept {
  JourneyEvent& event = span.events[span.event_count++];
  event.name = name;
  event.time_ns = now_ns();
  event.attribute_count = 0;
  event.set("event.type", type);
  event.set("ts.monotonic", static_cast<double>(event.time_ns) / 1e9);
  event.set("scheduler.step", step);
  event.set("phase", phase);
  event.set("prefill.done_tokens", progress[0]);
  event.set("prefill.total_tokens", progress[1]);
  event.set("decode.done_tokens", progress[2]);
  event.set("decode.max_tokens", progress[3]);
  event.set("num_preemptions", progress[4]);
  return event;
}

// Of one route, with its bounds known at compile time.
struct HandHistogram {
  static constexpr std::array<std::uint64_t, 16> kBounds = {
      1'000'000,     5'000'000,     10'000'000,    20'000'000,   40'000'000,  60'000'000,
      80'000'000,    100'000'000,   200'000'000,   400'000'000,  600'000'000, 800'000'000,
      1'000'000'000, 2'000'000'000, 4'000'000'000, 6'000'000'000};
  struct Latest {
    std::array<std::uint8_t, 16> trace_id;
    std::array<std::uint8_t, 8> span_id;
    std::uint64_t value;
    std::int64_t at_ns;
  };

  void observe(std::uint64_t value, const std::array<std::uint8_t, 16>& trace_id,
               const std::array<std::uint8_t, 8>& span_id, std::int64_t at_ns) noexcept {
    std::size_t bucket = 0;
    while (bucket < kBounds.size() && kBounds[bucket] < value) ++bucket;
    ++counts[bucket];
    sum += value;
    latest[bucket] = {trace_id, span_id, value, at_ns};
  }

  std::array<std::uint64_t, kBounds.size() + 1> counts{};
  std::uint64_t sum = 0;
  std::array<Latest, kBounds.size() + 1> latest{};
};

}  // namespace spanwire::floor
