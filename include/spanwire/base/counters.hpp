// Counters and histograms: one registry a process, one cell a thread, summed when read.
//
//   constinit NamedCounter frames_skipped("spanwire.session.frames_skipped");
//   ...
//   frames_skipped.add();
//
// Adding is an unlocked add to the calling thread's own cell (the first use on a thread registers
// it). After a fork the child counts from zero: what the parent counted, the parent reports.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace spanwire {

inline constexpr std::uint32_t kCountersMax = 1024;
inline constexpr std::uint32_t kHistogramsMax = 1024;

namespace detail {

class HistogramCells;

// One thread's cells.  Never freed: a new thread takes over those of one that ended.
struct CounterCells {
  std::array<std::atomic<std::int64_t>, kCountersMax> counters{};
  std::array<std::atomic<HistogramCells*>, kHistogramsMax> histograms{};
  std::atomic<bool> in_use{true};
  CounterCells* next = nullptr;
};

[[gnu::tls_model("initial-exec")]] inline constinit thread_local CounterCells* counter_cells =
    nullptr;

// Only the owning thread writes a cell, so that a plain add will do.
inline void add_to_cell(std::atomic<std::int64_t>& cell, std::int64_t by) noexcept {
  cell.store(cell.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
}

}  // namespace detail

// A number that goes up, or, used with negative values, a level.  A static object that lives for
// ever; counters of one name are one counter.  Shows up in snapshots from its first add() on.
// Beyond kCountersMax names, further ones share the counter "spanwire.counters.overflow".  Safe
// from any thread.
class NamedCounter {
 public:
  // `name` must live for ever.
  constexpr explicit NamedCounter(std::string_view name) noexcept : name_(name) {}
  NamedCounter(const NamedCounter&) = delete;
  NamedCounter& operator=(const NamedCounter&) = delete;

  void add(std::int64_t by = 1) noexcept {
    const std::uint32_t index = index_.load(std::memory_order_relaxed);
    if (index != 0 && detail::counter_cells != nullptr) {
      detail::add_to_cell(detail::counter_cells->counters[index], by);
    } else {
      add_slowly(by);
    }
  }
  // The sum over all threads; exact once they are still.
  std::int64_t value() const noexcept;
  std::string_view name() const noexcept { return name_; }

 private:
  void add_slowly(std::int64_t by) noexcept;

  std::string_view name_;
  std::atomic<std::uint32_t> index_{0};  // 0: not registered
};

// The counter of a name that is made at run time, such as one with a path in it.  Looks it up under
// a lock: keep the reference.
NamedCounter& counter(std::string_view name);

// How values spread over buckets: each power of two is cut into 8, so that a bucket is at most an
// eighth of its value wide.
inline constexpr unsigned kHistogramSubBits = 3;
inline constexpr std::size_t kHistogramBuckets = (64 - kHistogramSubBits + 1) << kHistogramSubBits;

constexpr std::size_t histogram_bucket(std::uint64_t value) noexcept {
  constexpr std::uint64_t sub = 1u << kHistogramSubBits;
  if (value < sub) return static_cast<std::size_t>(value);
  const auto shift = static_cast<unsigned>(std::bit_width(value)) - 1 - kHistogramSubBits;
  return ((shift + 1) << kHistogramSubBits) + static_cast<std::size_t>((value >> shift) - sub);
}
// The smallest value of a bucket.
constexpr std::uint64_t histogram_bucket_start(std::size_t bucket) noexcept {
  constexpr std::uint64_t sub = 1u << kHistogramSubBits;
  if (bucket < sub) return bucket;
  const auto shift = static_cast<unsigned>(bucket >> kHistogramSubBits) - 1;
  return (sub + (bucket & (sub - 1))) << shift;
}

// What the whole numbers of a histogram are.  Nanoseconds are shown to people as seconds.
enum class MetricUnit : std::uint8_t { none, nanoseconds };

// Values as nanoseconds or bytes.  Otherwise as NamedCounter; about 4 KiB per thread that records.
// Beyond kHistogramsMax names, what further ones record is counted in
// "spanwire.histograms.overflow".
class NamedHistogram {
 public:
  constexpr explicit NamedHistogram(std::string_view name,
                                    MetricUnit unit = MetricUnit::none) noexcept
      : name_(name), unit_(unit) {}
  NamedHistogram(const NamedHistogram&) = delete;
  NamedHistogram& operator=(const NamedHistogram&) = delete;

  void record(std::uint64_t value) noexcept;
  std::string_view name() const noexcept { return name_; }

 private:
  std::string_view name_;
  MetricUnit unit_;
  std::atomic<std::uint32_t> index_{0};
};

struct CounterReading {
  std::string name;
  std::int64_t value = 0;
};

struct HistogramReading {
  std::string name;
  MetricUnit unit = MetricUnit::none;
  std::uint64_t count = 0;
  std::uint64_t sum = 0;
  std::array<std::uint64_t, kHistogramBuckets> buckets{};

  // A value that the share `quantile` (0 to 1) of all recorded values does not exceed, to the width
  // of a bucket: the bucket's last value; 0 if nothing was recorded.
  std::uint64_t quantile(double quantile) const noexcept;
};

// What all counters and histograms read, each list sorted by name; of the families in metrics.hpp
// the counters only, as `name{label="value"}`.  Not one instant: each is summed on its own while
// threads go on.
struct CounterSnapshot {
  std::vector<CounterReading> counters;
  std::vector<HistogramReading> histograms;

  // The value of a counter, 0 if there is none of that name.
  std::int64_t value(std::string_view name) const noexcept;
  // Null if there is none of that name.
  const HistogramReading* histogram(std::string_view name) const noexcept;
};
CounterSnapshot counter_snapshot();

}  // namespace spanwire
