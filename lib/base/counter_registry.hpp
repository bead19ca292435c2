// The one registry behind counters.hpp and metrics.hpp: names, and each thread's cells.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <string_view>

#include "spanwire/base/counters.hpp"
#include "spanwire/base/metrics.hpp"

namespace spanwire::detail {

// The latest exemplar of one bucket on one thread.  One writer; a reader that meets a write in
// progress sees the version change and takes none.
class ExemplarCell {
 public:
  //
  // Neither fences nor locked instructions: each word is released after the odd version, and the
  // even one after all words, so that who saw a new word also sees that the version has changed.
  void write(std::uint64_t value, const Exemplar& exemplar) noexcept {
    const std::uint32_t version = version_.load(std::memory_order_relaxed);
    version_.store(version + 1, std::memory_order_relaxed);
    std::array<std::uint64_t, 3> ids;
    std::memcpy(ids.data(), exemplar.trace_id.data(), 16);
    std::memcpy(ids.data() + 2, exemplar.span_id.data(), 8);
    for (std::size_t i = 0; i < ids.size(); ++i) words_[i].store(ids[i], std::memory_order_release);
    words_[3].store(value, std::memory_order_release);
    words_[4].store(static_cast<std::uint64_t>(exemplar.at.time_since_epoch().count()),
                    std::memory_order_release);
    version_.store(version + 2, std::memory_order_release);
  }
  // False if there is none, or while it is written.
  bool read(std::uint64_t& value, Exemplar& exemplar) const noexcept;
  void clear() noexcept;

 private:
  static constexpr std::size_t kWords = 5;
  std::atomic<std::uint32_t> version_{0};  // odd while it is written; 0: never was
  std::array<std::atomic<std::uint64_t>, kWords> words_{};
};

// One thread's part of a histogram.  The buckets, and an exemplar for each where the histogram has
// them, lie behind the object.
class HistogramCells {
 public:
  static HistogramCells* make(std::uint32_t buckets, bool exemplars);

  std::uint32_t bucket_count() const noexcept { return bucket_count_; }
  std::atomic<std::int64_t>& bucket(std::size_t at) noexcept { return buckets_[at]; }
  // Null without exemplars.
  ExemplarCell* exemplars() noexcept { return exemplars_; }
  void zero() noexcept;

  std::atomic<std::int64_t> sum{0};

  // The owner's: the bucket of its last value, for values from `least` to `least` + `width`.
  struct Recent {
    std::uint64_t least = 0;
    std::uint64_t width = 0;
    std::size_t bucket = 0;
  };
  Recent recent;

 private:
  HistogramCells(std::uint32_t buckets, bool exemplars)
      : bucket_count_(buckets),
        buckets_(new std::atomic<std::int64_t>[buckets]()),
        exemplars_(exemplars ? new ExemplarCell[buckets]() : nullptr) {}

  const std::uint32_t bucket_count_;
  std::atomic<std::int64_t>* const buckets_;
  ExemplarCell* const exemplars_;
};

// Index 0 means "not registered"; counter 1 is where names beyond the limit are counted.
inline constexpr std::uint32_t kOverflow = 1;

// Never destroyed, and constant-initialised, so that static objects may count at any time.
struct Registry {
  struct HistogramShape {
    std::uint32_t buckets = 0;
    bool exemplars = false;
    bool labelled = false;
    MetricUnit unit = MetricUnit::none;
  };

  std::mutex mutex;  // names and growth; never on the way of add()
  std::atomic<CounterCells*> cells{nullptr};
  std::array<const char*, kCountersMax> counter_text{};
  std::array<std::size_t, kCountersMax> counter_size{};
  std::array<bool, kCountersMax> counter_labelled{};
  std::uint32_t counters = 1;
  std::array<const char*, kHistogramsMax> histogram_text{};
  std::array<std::size_t, kHistogramsMax> histogram_size{};
  std::array<HistogramShape, kHistogramsMax> histogram_shape{};
  std::uint32_t histograms = 1;
  MetricFamily* families = nullptr;

  std::string_view counter_name(std::uint32_t i) const {
    return {counter_text[i], counter_size[i]};
  }
  std::string_view histogram_name(std::uint32_t i) const {
    return {histogram_text[i], histogram_size[i]};
  }
};
Registry& registry() noexcept;

// All of these with the registry's lock held.
// kOverflow if there is no room.
std::uint32_t counter_index(std::string_view name) noexcept;
// 0 if there is no room, or if the name stands for a histogram of another shape.
std::uint32_t histogram_index(std::string_view name,
                              const Registry::HistogramShape& shape) noexcept;
std::int64_t sum_of_counter(std::uint32_t index) noexcept;

// The calling thread's cells of a histogram if they are there already.
inline HistogramCells* known_cells(const std::atomic<std::uint32_t>& index) noexcept {
  const std::uint32_t known = index.load(std::memory_order_relaxed);
  if (known == 0 || counter_cells == nullptr) return nullptr;
  return counter_cells->histograms[known].load(std::memory_order_relaxed);
}
// Makes them; null, and counted, if there is no room or the thread is in its last moments.  Takes
// the lock.
HistogramCells* make_cells(std::atomic<std::uint32_t>& index, std::string_view name,
                           const Registry::HistogramShape& shape) noexcept;

// Takes the lock.
CounterSnapshot read_counters(bool labelled);

}  // namespace spanwire::detail
