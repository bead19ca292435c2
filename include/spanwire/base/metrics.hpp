// Metrics: families of counters and histograms that differ in the values of labels, in the registry
// of counters.hpp.
//
//   constinit HistogramFamily first_token("time_to_first_token_seconds", "Arrival to first token.",
//                                         kBounds, MetricUnit::nanoseconds, {"model", "route"});
//   BoundedHistogram& here = first_token.with({"llama", "/v1/chat"});   // once
//   here.observe(nanoseconds, exemplar);                                // for each request
//
// Families are static objects: there is no order in which to make them.  with() looks up under a
// lock, so keep what it returns, for ever if you like; what that does takes no lock and allocates
// nothing but, once per thread and series, the thread's own cells.  After a fork the child counts
// from zero, with the same families and series.  As text for Prometheus: metrics_text.hpp.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "spanwire/base/clock.hpp"
#include "spanwire/base/counters.hpp"

namespace spanwire {

// Of a family.
inline constexpr std::size_t kLabelsMax = 4;
// Combinations of values that a family keeps unless it says otherwise.  Further ones share one
// series, whose only label is kOverflowLabel; asking for them is counted in
// "spanwire.metrics.series_overflow".
inline constexpr std::size_t kSeriesPerFamilyMax = 64;
// A longer value counts as a further combination.
inline constexpr std::size_t kLabelBytesMax = 128;
// The label of the shared series, with the value "true": OpenTelemetry's otel.metric.overflow as
// Prometheus spells it.
inline constexpr std::string_view kOverflowLabel = "otel_metric_overflow";
// Of a histogram; further bounds are left out.
inline constexpr std::size_t kHistogramBoundsMax = 32;

namespace detail {
struct Series;
struct Registry;
}  // namespace detail

// Which span a value came from, and when.  Ids as the wire orders them; a zero trace id is none.
struct Exemplar {
  std::array<std::uint8_t, 16> trace_id{};
  std::array<std::uint8_t, 8> span_id{};
  MonotonicTime at{};

  bool has_trace() const noexcept {
    std::array<std::uint64_t, 2> words;
    std::memcpy(words.data(), trace_id.data(), sizeof words);
    return (words[0] | words[1]) != 0;
  }
};

enum class MetricType : std::uint8_t { counter, gauge, histogram };

// What counters and histograms with labels have in common.
class MetricFamily {
 public:
  MetricFamily(const MetricFamily&) = delete;
  MetricFamily& operator=(const MetricFamily&) = delete;

  std::string_view name() const noexcept { return name_; }
  std::string_view help() const noexcept { return help_; }
  MetricType type() const noexcept { return type_; }
  MetricUnit unit() const noexcept { return unit_; }
  // The names of the labels.
  std::span<const std::string_view> labels() const noexcept {
    return {labels_.data(), label_count_};
  }
  // Of a histogram: the largest value of each bucket but the last, rising.
  std::span<const std::uint64_t> bounds() const noexcept { return bounds_; }

 protected:
  constexpr MetricFamily(MetricType type, std::string_view name, std::string_view help,
                         std::initializer_list<std::string_view> labels,
                         std::size_t series_max) noexcept
      : name_(name), help_(help), type_(type), series_max_(series_max) {
    for (const std::string_view label : labels) {
      if (label_count_ < kLabelsMax) labels_[label_count_++] = label;
    }
  }
  ~MetricFamily() = default;

  detail::Series& series(std::span<const std::string_view> values);

  std::span<const std::uint64_t> bounds_;
  MetricUnit unit_ = MetricUnit::none;

 private:
  friend class MetricsReader;

  std::string_view name_;
  std::string_view help_;
  MetricType type_;
  std::uint8_t label_count_ = 0;
  std::array<std::string_view, kLabelsMax> labels_{};
  std::size_t series_max_;
  // With the registry's lock held.  The first is the one for all that have none of their own.
  detail::Series** series_ = nullptr;
  std::size_t series_room_ = 0;
  std::size_t series_count_ = 0;
  MetricFamily* next_ = nullptr;
};

// Numbers that only grow, or, as gauges, levels.  Names and help must live for ever.  `series_max`
// counts the shared one.
class CounterFamily final : public MetricFamily {
 public:
  constexpr CounterFamily(std::string_view name, std::string_view help,
                          std::initializer_list<std::string_view> labels,
                          MetricType type = MetricType::counter,
                          std::size_t series_max = kSeriesPerFamilyMax) noexcept
      : MetricFamily(type, name, help, labels, series_max) {}

  // One value a label, in their order; missing ones are empty.  Bytes that are no printable ASCII
  // become %XX.
  NamedCounter& with(std::span<const std::string_view> values);
  NamedCounter& with(std::initializer_list<std::string_view> values) {
    return with(std::span<const std::string_view>(values.begin(), values.size()));
  }
};

// How values spread over buckets with given bounds.  Made by a family; lives for ever.  Safe from
// any thread.
class BoundedHistogram {
 public:
  BoundedHistogram(std::string_view series, std::span<const std::uint64_t> bounds) noexcept
      : series_(series), bounds_(bounds) {}
  BoundedHistogram(const BoundedHistogram&) = delete;
  BoundedHistogram& operator=(const BoundedHistogram&) = delete;

  void observe(std::uint64_t value, std::uint64_t times = 1) noexcept;
  // Also keeps `exemplar`, if it has a trace id, as the latest of its bucket.
  void observe(std::uint64_t value, const Exemplar& exemplar, std::uint64_t times = 1) noexcept;

 private:
  friend class MetricsReader;

  // Null: without an exemplar.
  void add(std::uint64_t value, const Exemplar* exemplar, std::uint64_t times) noexcept;
  void add_first(std::uint64_t value, const Exemplar* exemplar, std::uint64_t times) noexcept;
  void add_to(detail::HistogramCells& cells, std::uint64_t value, const Exemplar* exemplar,
              std::uint64_t times) const noexcept;
  std::size_t find_bucket(detail::HistogramCells& cells, std::uint64_t value) const noexcept;

  std::string_view series_;
  std::span<const std::uint64_t> bounds_;
  std::atomic<std::uint32_t> index_{0};
};

class HistogramFamily final : public MetricFamily {
 public:
  // At most kHistogramBoundsMax `bounds`; they live for ever.  With the unit nanoseconds the name
  // ends with "_seconds".
  constexpr HistogramFamily(std::string_view name, std::string_view help,
                            std::span<const std::uint64_t> bounds, MetricUnit unit,
                            std::initializer_list<std::string_view> labels,
                            std::size_t series_max = kSeriesPerFamilyMax) noexcept
      : MetricFamily(MetricType::histogram, name, help, labels, series_max) {
    bounds_ =
        bounds.first(bounds.size() < kHistogramBoundsMax ? bounds.size() : kHistogramBoundsMax);
    unit_ = unit;
  }

  // As CounterFamily::with().
  BoundedHistogram& with(std::span<const std::string_view> values);
  BoundedHistogram& with(std::initializer_list<std::string_view> values) {
    return with(std::span<const std::string_view>(values.begin(), values.size()));
  }
};

// ---- Reading

struct ExemplarReading {
  Exemplar exemplar;
  std::uint64_t value = 0;
};

struct SeriesReading {
  std::vector<std::string> labels;  // values, in the order of the family's names
  bool overflow = false;            // what had no room; without labels of its own
  std::int64_t value = 0;           // of a counter or gauge
  // Of a histogram: a bucket for each bound and one above, not accumulated; the latest exemplar of
  // each, without a trace id where there is none.
  std::uint64_t count = 0;
  std::uint64_t sum = 0;
  std::vector<std::uint64_t> buckets;
  std::vector<ExemplarReading> exemplars;
};

struct FamilyReading {
  std::string name;
  std::string help;
  MetricType type = MetricType::counter;
  MetricUnit unit = MetricUnit::none;
  std::vector<std::string> labels;
  std::vector<std::uint64_t> bounds;
  std::vector<SeriesReading> series;

  // Null if there is none with these values.
  const SeriesReading* find(std::initializer_list<std::string_view> values) const noexcept;
  // The series of what had no room; null if there was room for all.
  const SeriesReading* overflow() const noexcept;
};

// What everything reads: the families by name, and what has no labels.  Not one instant, as
// counter_snapshot().
struct MetricsSnapshot {
  std::vector<FamilyReading> families;
  CounterSnapshot plain;  // without the series of families
  // The same moment on both clocks, to tell when an exemplar was.
  MonotonicTime monotonic{};
  WallTime wall{};

  const FamilyReading* family(std::string_view name) const noexcept;
};
MetricsSnapshot metrics_snapshot(const Clock& clock = Clock::system());

}  // namespace spanwire
