#include "spanwire/base/metrics.hpp"

#include <algorithm>
#include <limits>
#include <mutex>

#include "lib/base/counter_registry.hpp"

namespace spanwire {
namespace detail {

// One combination of label values.  Never freed.
struct Series {
  std::array<std::string, kLabelsMax> values;
  bool overflow = false;  // of all that have none of their own
  std::string name;       // name{label="value",...}
  // One of the two.
  NamedCounter* counter = nullptr;
  BoundedHistogram* histogram = nullptr;
};

}  // namespace detail

namespace {

using detail::HistogramCells;
using detail::registry;
using detail::Series;

constinit NamedCounter series_overflow("spanwire.metrics.series_overflow");

bool is_printable(char c) noexcept { return c >= ' ' && c <= '~'; }

std::string clean_label(std::string_view value) {
  constexpr char kHex[] = "0123456789ABCDEF";
  std::string clean;
  for (const char c : value) {
    if (is_printable(c)) {
      clean += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      clean += {'%', kHex[byte >> 4], kHex[byte & 15]};
    }
  }
  return clean;
}

bool is_clean(std::string_view value) noexcept {
  return std::all_of(value.begin(), value.end(), is_printable);
}

// Whether a series has these values, the raw ones of a caller.
bool matches(const Series& series, std::span<const std::string_view> values,
             std::size_t labels) noexcept {
  for (std::size_t i = 0; i < labels; ++i) {
    const std::string_view value = i < values.size() ? values[i] : std::string_view();
    const bool same =
        is_clean(value) ? series.values[i] == value : series.values[i] == clean_label(value);
    if (!same) return false;
  }
  return true;
}

bool too_long(std::span<const std::string_view> values) noexcept {
  return std::any_of(values.begin(), values.end(),
                     [](std::string_view value) { return value.size() > kLabelBytesMax; });
}

std::string series_name(const MetricFamily& family, const Series& series) {
  std::string name(family.name());
  const auto labels = family.labels();
  if (series.overflow) return name.append("{").append(kOverflowLabel).append("=\"true\"}");
  for (std::size_t i = 0; i < labels.size(); ++i) {
    name += i == 0 ? '{' : ',';
    name.append(labels[i]).append("=\"").append(series.values[i]) += '"';
  }
  if (!labels.empty()) name += '}';
  return name;
}

}  // namespace

// What needs to see into families, with the registry's lock held.
class MetricsReader {
 public:
  static Series& find_or_make(MetricFamily& family, std::span<const std::string_view> values,
                              bool& overflowed) {
    if (family.series_count_ == 0) enlist(family);
    for (std::size_t i = 0; i < family.series_count_; ++i) {
      const Series& series = *family.series_[i];
      if (!series.overflow && matches(series, values, family.label_count_)) {
        return *family.series_[i];
      }
    }
    overflowed = family.series_count_ >= family.series_max_ || too_long(values);
    return overflowed ? *family.series_[0] : make(family, values, false);
  }

  static FamilyReading read(const MetricFamily& family) {
    FamilyReading reading{std::string(family.name_),
                          std::string(family.help_),
                          family.type_,
                          family.unit_,
                          {},
                          {},
                          {}};
    reading.labels.assign(family.labels().begin(), family.labels().end());
    reading.bounds.assign(family.bounds_.begin(), family.bounds_.end());
    for (std::size_t i = 0; i < family.series_count_; ++i) {
      SeriesReading series = read(family, *family.series_[i]);
      const bool unused = series.overflow && series.value == 0 && series.count == 0;
      if (!unused) reading.series.push_back(std::move(series));
    }
    return reading;
  }

  static const MetricFamily* next(const MetricFamily& family) noexcept { return family.next_; }

 private:
  static void enlist(MetricFamily& family) {
    family.next_ = registry().families;
    registry().families = &family;
    // Without labels there is one series, and nothing to overflow.
    make(family, {}, family.label_count_ != 0);
  }

  static void make_room(MetricFamily& family) {
    if (family.series_count_ < family.series_room_) return;
    constexpr std::size_t kFirstRoom = 8;
    const std::size_t room = std::max(kFirstRoom, 2 * family.series_room_);
    auto** series = new Series*[room];
    std::copy_n(family.series_, family.series_count_, series);
    delete[] family.series_;
    family.series_ = series;
    family.series_room_ = room;
  }

  static Series& make(MetricFamily& family, std::span<const std::string_view> values,
                      bool overflow) {
    make_room(family);
    auto& series = *new Series;
    series.overflow = overflow;
    for (std::size_t i = 0; i < family.label_count_ && i < values.size(); ++i) {
      series.values[i] = clean_label(values[i]);
    }
    series.name = series_name(family, series);
    if (family.type_ == MetricType::histogram) {
      series.histogram = new BoundedHistogram(series.name, family.bounds_);
    } else {
      series.counter = new NamedCounter(series.name);
      const std::uint32_t index = detail::counter_index(series.name);
      if (index != detail::kOverflow) registry().counter_labelled[index] = true;
    }
    family.series_[family.series_count_++] = &series;
    return series;
  }

  static SeriesReading read(const MetricFamily& family, const Series& series) {
    SeriesReading reading;
    reading.overflow = series.overflow;
    for (std::size_t i = 0; i < family.label_count_ && !series.overflow; ++i) {
      reading.labels.push_back(series.values[i]);
    }
    if (series.counter != nullptr) {
      const std::uint32_t index = detail::counter_index(series.name);
      // Without room of its own it was counted with others: nothing is known of it alone.
      if (index != detail::kOverflow) reading.value = detail::sum_of_counter(index);
      return reading;
    }
    reading.buckets.resize(family.bounds_.size() + 1);
    reading.exemplars.resize(reading.buckets.size());
    const std::uint32_t index = series.histogram->index_.load(std::memory_order_relaxed);
    const detail::CounterCells* cells = registry().cells.load(std::memory_order_acquire);
    for (; index != 0 && cells != nullptr; cells = cells->next) {
      HistogramCells* part = cells->histograms[index].load(std::memory_order_acquire);
      if (part != nullptr) add(*part, reading);
    }
    return reading;
  }

  static void add(HistogramCells& part, SeriesReading& reading) {
    reading.sum += static_cast<std::uint64_t>(part.sum.load(std::memory_order_relaxed));
    for (std::size_t i = 0; i < reading.buckets.size(); ++i) {
      const auto count = static_cast<std::uint64_t>(part.bucket(i).load(std::memory_order_relaxed));
      reading.buckets[i] += count;
      reading.count += count;
      ExemplarReading& latest = reading.exemplars[i];
      ExemplarReading found;
      if (part.exemplars()[i].read(found.value, found.exemplar) &&
          found.exemplar.at >= latest.exemplar.at) {
        latest = found;
      }
    }
  }
};

detail::Series& MetricFamily::series(std::span<const std::string_view> values) {
  bool overflowed = false;
  Series* found = nullptr;
  {
    const std::lock_guard lock(registry().mutex);
    found = &MetricsReader::find_or_make(*this, values, overflowed);
  }
  if (overflowed) series_overflow.add();
  return *found;
}

NamedCounter& CounterFamily::with(std::span<const std::string_view> values) {
  return *series(values).counter;
}

BoundedHistogram& HistogramFamily::with(std::span<const std::string_view> values) {
  return *series(values).histogram;
}

// The bucket of a value that is not in the last one's.
[[gnu::noinline]] std::size_t BoundedHistogram::find_bucket(HistogramCells& cells,
                                                            std::uint64_t value) const noexcept {
  // All of them, without a branch: which one it is cannot be foreseen.
  std::size_t bucket = 0;
  for (const std::uint64_t bound : bounds_) bucket += bound < value ? 1 : 0;
  const std::uint64_t least = bucket == 0 ? 0 : bounds_[bucket - 1] + 1;
  const std::uint64_t most =
      bucket < bounds_.size() ? bounds_[bucket] : std::numeric_limits<std::uint64_t>::max();
  cells.recent = {least, most - least, bucket};
  return bucket;
}

inline void BoundedHistogram::add_to(HistogramCells& cells, std::uint64_t value,
                                     const Exemplar* exemplar, std::uint64_t times) const noexcept {
  // Times of one kind are mostly alike.
  const bool alike = value - cells.recent.least <= cells.recent.width;
  const std::size_t bucket = alike ? cells.recent.bucket : find_bucket(cells, value);
  detail::add_to_cell(cells.bucket(bucket), static_cast<std::int64_t>(times));
  detail::add_to_cell(cells.sum, static_cast<std::int64_t>(value * times));
  if (exemplar != nullptr && exemplar->has_trace()) {
    cells.exemplars()[bucket].write(value, *exemplar);
  }
}

// Of this thread.  Apart, so that all others save no registers for it.
[[gnu::noinline]] void BoundedHistogram::add_first(std::uint64_t value, const Exemplar* exemplar,
                                                   std::uint64_t times) noexcept {
  const auto buckets = static_cast<std::uint32_t>(bounds_.size() + 1);
  HistogramCells* const cells =
      detail::make_cells(index_, series_, {buckets, true, true, MetricUnit::none});
  if (cells != nullptr) add_to(*cells, value, exemplar, times);
}

inline void BoundedHistogram::add(std::uint64_t value, const Exemplar* exemplar,
                                  std::uint64_t times) noexcept {
  HistogramCells* const cells = detail::known_cells(index_);
  if (cells == nullptr) [[unlikely]]
    return add_first(value, exemplar, times);
  add_to(*cells, value, exemplar, times);
}

void BoundedHistogram::observe(std::uint64_t value, std::uint64_t times) noexcept {
  add(value, nullptr, times);
}

void BoundedHistogram::observe(std::uint64_t value, const Exemplar& exemplar,
                               std::uint64_t times) noexcept {
  add(value, &exemplar, times);
}

const SeriesReading* FamilyReading::find(
    std::initializer_list<std::string_view> values) const noexcept {
  for (const SeriesReading& reading : series) {
    if (!reading.overflow &&
        std::equal(values.begin(), values.end(), reading.labels.begin(), reading.labels.end())) {
      return &reading;
    }
  }
  return nullptr;
}

const SeriesReading* FamilyReading::overflow() const noexcept {
  const bool any = !series.empty() && series.front().overflow;
  return any ? &series.front() : nullptr;
}

const FamilyReading* MetricsSnapshot::family(std::string_view name) const noexcept {
  for (const FamilyReading& reading : families) {
    if (reading.name == name) return &reading;
  }
  return nullptr;
}

MetricsSnapshot metrics_snapshot(const Clock& clock) {
  MetricsSnapshot snapshot;
  snapshot.monotonic = clock.monotonic();
  snapshot.wall = clock.wall();
  snapshot.plain = detail::read_counters(false);
  const std::lock_guard lock(registry().mutex);
  for (const MetricFamily* family = registry().families; family != nullptr;
       family = MetricsReader::next(*family)) {
    snapshot.families.push_back(MetricsReader::read(*family));
  }
  std::sort(snapshot.families.begin(), snapshot.families.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  return snapshot;
}

}  // namespace spanwire
