// The floor of trace/span_sampled and trace/hop: a recorded span as somebody would write it who
// needs exactly this one.  A fixed struct on the stack with places for four attributes and an
// event, two clock reads and one for the event, and one copy into the thread's ring, which a thread
// of its own empties.  No limits, no sampler, no arrays, no overwriting of keys, no other size.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string_view>
#include <thread>

namespace spanwire::floor {

struct Attribute {
  enum class Type : std::uint32_t { text, integer, real };
  const char* key;
  Type type;
  std::uint32_t text_bytes;
  union {
    char text[24];
    std::int64_t integer;
    double real;
  };
};

struct Event {
  const char* name;
  std::int64_t time_ns;
};

struct Span {
  std::array<std::uint64_t, 2> trace_id;
  std::uint64_t span_id;
  std::uint64_t parent_id;
  std::int64_t start_ns;
  std::int64_t end_ns;
  std::uint8_t kind;
  std::uint8_t flags;
  std::uint8_t status;
  std::uint8_t name_bytes;
  std::uint8_t attribute_count;
  std::uint8_t event_count;
  char name[32];
  Attribute attributes[4];
  Event events[1];
};

inline std::int64_t now_ns() noexcept {
  return std::chrono::steady_clock::now().time_since_epoch().count();
}

inline std::uint64_t random_word() noexcept {
  constinit static thread_local std::uint64_t state = 0x9E3779B97F4A7C15ull;
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state;
}

template <std::size_t Size>
std::uint8_t copy_text(char (&to)[Size], std::string_view text) noexcept {
  const std::size_t bytes = text.size() < Size ? text.size() : Size;
  std::memcpy(to, text.data(), bytes);
  return static_cast<std::uint8_t>(bytes);
}

// One writer, one reader.
template <class Record, std::uint64_t Slots>
struct Ring {
  static constexpr std::uint64_t kSlots = Slots;

  void push(const Record& span, std::size_t bytes = sizeof(Record)) noexcept {
    if (tail - head_seen == kSlots) {
      head_seen = head.load(std::memory_order_acquire);
      if (tail - head_seen == kSlots) {
        ++dropped;
        return;
      }
    }
    std::memcpy(static_cast<void*>(&slots[tail % kSlots]), &span, bytes);
    published.store(++tail, std::memory_order_release);
    if (tail % (kSlots / 2) == 0) wake();
  }
  void wake() noexcept {
    wakes.fetch_add(1);
    wakes.notify_one();
  }

  std::unique_ptr<Record[]> slots{new Record[kSlots]()};
  std::uint64_t tail = 0;
  std::uint64_t head_seen = 0;
  std::uint64_t dropped = 0;
  alignas(64) std::atomic<std::uint64_t> published{0};
  alignas(64) std::atomic<std::uint64_t> head{0};
  alignas(64) std::atomic<std::uint32_t> wakes{0};
};

// A ring and the thread that empties it each time that it is half full, or when asked.
template <class Record, std::uint64_t Slots>
class Drain {
 public:
  Drain() : thread_([this] { run(); }) {}
  ~Drain() {
    stop_.store(true);
    ring_.wake();
    thread_.join();
    if (ring_.dropped != 0) std::fprintf(stderr, "floor: spans were dropped\n");
  }

  Ring<Record, Slots>& ring() noexcept { return ring_; }
  void wait_until_empty() noexcept {
    ring_.wake();
    for (;;) {
      const std::uint64_t at = ring_.head.load(std::memory_order_acquire);
      if (at == ring_.tail) return;
      ring_.head.wait(at);
    }
  }

 private:
  void run() noexcept {
    while (!stop_.load()) {
      const std::uint32_t wakes = ring_.wakes.load();
      const std::uint64_t end = ring_.published.load(std::memory_order_acquire);
      std::uint64_t at = ring_.head.load();
      if (at == end) {
        ring_.wakes.wait(wakes);
        continue;
      }
      for (; at < end; ++at) sum_ += ring_.slots[at % Slots].span_id;
      ring_.head.store(end, std::memory_order_release);
      ring_.head.notify_one();
    }
  }

  Ring<Record, Slots> ring_;
  std::uint64_t sum_ = 0;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

using SpanRing = Ring<Span, 32768>;
using SpanDrain = Drain<Span, 32768>;

// A span under a parent.
inline void start_span(Span& span, const unsigned char* trace_id, const unsigned char* parent_id,
                       std::string_view name, std::uint8_t kind) noexcept {
  std::memcpy(span.trace_id.data(), trace_id, 16);
  std::memcpy(&span.parent_id, parent_id, 8);
  span.span_id = random_word();
  span.name_bytes = copy_text(span.name, name);
  span.kind = kind;
  span.flags = 1;
  span.status = 0;
  span.attribute_count = 0;
  span.event_count = 0;
  span.start_ns = now_ns();
}

inline void set(Span& span, const char* key, std::string_view text) noexcept {
  Attribute& attribute = span.attributes[span.attribute_count++];
  attribute.key = key;
  attribute.type = Attribute::Type::text;
  attribute.text_bytes = copy_text(attribute.text, text);
}
inline void set(Span& span, const char* key, std::int64_t integer) noexcept {
  Attribute& attribute = span.attributes[span.attribute_count++];
  attribute.key = key;
  attribute.type = Attribute::Type::integer;
  attribute.integer = integer;
}
inline void set(Span& span, const char* key, double real) noexcept {
  Attribute& attribute = span.attributes[span.attribute_count++];
  attribute.key = key;
  attribute.type = Attribute::Type::real;
  attribute.real = real;
}

inline void add_event(Span& span, const char* name) noexcept {
  span.events[span.event_count++] = {name, now_ns()};
}

inline void end_span(Span& span, SpanRing& ring) noexcept {
  span.end_ns = now_ns();
  ring.push(span);
}

}  // namespace spanwire::floor
