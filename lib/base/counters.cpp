#include "spanwire/base/counters.hpp"

#include <pthread.h>

#include <algorithm>
#include <cmath>
#include <mutex>

namespace spanwire {

namespace detail {

struct HistogramCells {
  std::atomic<std::int64_t> sum{0};
  std::array<std::atomic<std::int64_t>, kHistogramBuckets> buckets{};
};

}  // namespace detail

namespace {

using detail::CounterCells;
using detail::HistogramCells;

// Index 0 means "not registered" and 1 is where names beyond the limit are counted.
constexpr std::uint32_t kOverflow = 1;

// Never destroyed, and constant-initialised, so that static objects may count at any time.
struct Registry {
  std::mutex mutex;  // names and growth; never on the way of add()
  std::atomic<CounterCells*> cells{nullptr};
  std::array<const char*, kCountersMax> counter_text{};
  std::array<std::size_t, kCountersMax> counter_size{};
  std::uint32_t counters = 1;
  std::array<const char*, kHistogramsMax> histogram_text{};
  std::array<std::size_t, kHistogramsMax> histogram_size{};
  std::uint32_t histograms = 1;
  bool handles_forks = false;

  std::string_view counter_name(std::uint32_t i) const {
    return {counter_text[i], counter_size[i]};
  }
  std::string_view histogram_name(std::uint32_t i) const {
    return {histogram_text[i], histogram_size[i]};
  }
};

union RegistryStorage {
  constexpr RegistryStorage() : registry() {}
  ~RegistryStorage() {}
  Registry registry;
};
constinit RegistryStorage storage;
Registry& registry() noexcept { return storage.registry; }

void zero(CounterCells& cells) noexcept {
  for (auto& cell : cells.counters) cell.store(0, std::memory_order_relaxed);
  for (auto& pointer : cells.histograms) {
    HistogramCells* histogram = pointer.load(std::memory_order_relaxed);
    if (histogram == nullptr) continue;
    histogram->sum.store(0, std::memory_order_relaxed);
    for (auto& bucket : histogram->buckets) bucket.store(0, std::memory_order_relaxed);
  }
}

// In the child only the forking thread lives: the cells of the others are free.
void after_fork_in_child() noexcept {
  for (CounterCells* cells = registry().cells.load(); cells != nullptr; cells = cells->next) {
    zero(*cells);
    cells->in_use.store(cells == detail::counter_cells);
  }
  registry().mutex.unlock();
}

constinit thread_local bool thread_ended = false;

struct CellsHolder {
  ~CellsHolder() {
    if (detail::counter_cells != nullptr) {
      detail::counter_cells->in_use.store(false, std::memory_order_release);
      detail::counter_cells = nullptr;
    }
    thread_ended = true;
  }
  bool used = false;
};
thread_local CellsHolder holder;

// With the lock held.
void handle_forks() noexcept {
  if (registry().handles_forks) return;
  registry().handles_forks = true;
  pthread_atfork([] { registry().mutex.lock(); }, [] { registry().mutex.unlock(); },
                 &after_fork_in_child);
}

// With the lock held.
CounterCells* claim_cells() {
  Registry& all = registry();
  handle_forks();
  for (CounterCells* cells = all.cells.load(); cells != nullptr; cells = cells->next) {
    if (!cells->in_use.exchange(true, std::memory_order_acquire)) return cells;
  }
  auto* cells = new CounterCells;
  cells->next = all.cells.load();
  all.cells.store(cells, std::memory_order_release);
  return cells;
}

// Null in the last moments of a thread, when its cells have been given back.
CounterCells* cells_of_thread() {
  if (detail::counter_cells == nullptr && !thread_ended) {
    detail::counter_cells = claim_cells();
    holder.used = true;
  }
  return detail::counter_cells;
}

// With the lock held.  0 if there is no room.
template <std::size_t N>
std::uint32_t index_of(std::array<const char*, N>& text, std::array<std::size_t, N>& size,
                       std::uint32_t& used, std::string_view name) noexcept {
  for (std::uint32_t i = 1; i < used; ++i) {
    if (std::string_view(text[i], size[i]) == name) return i;
  }
  if (used == N) return 0;
  text[used] = name.data();
  size[used] = name.size();
  return used++;
}

std::uint32_t counter_index(std::string_view name) noexcept {
  Registry& all = registry();
  if (all.counters == kOverflow) {
    index_of(all.counter_text, all.counter_size, all.counters, "spanwire.counters.overflow");
  }
  const std::uint32_t index = index_of(all.counter_text, all.counter_size, all.counters, name);
  return index != 0 ? index : kOverflow;
}

std::int64_t sum_of_counter(std::uint32_t index) noexcept {
  std::int64_t sum = 0;
  const CounterCells* cells = registry().cells.load(std::memory_order_acquire);
  for (; cells != nullptr; cells = cells->next) {
    sum += cells->counters[index].load(std::memory_order_relaxed);
  }
  return sum;
}

void sum_of_histogram(std::uint32_t index, HistogramReading& reading) noexcept {
  const CounterCells* cells = registry().cells.load(std::memory_order_acquire);
  for (; cells != nullptr; cells = cells->next) {
    const HistogramCells* part = cells->histograms[index].load(std::memory_order_acquire);
    if (part == nullptr) continue;
    reading.sum += static_cast<std::uint64_t>(part->sum.load(std::memory_order_relaxed));
    for (std::size_t i = 0; i < kHistogramBuckets; ++i) {
      const auto count =
          static_cast<std::uint64_t>(part->buckets[i].load(std::memory_order_relaxed));
      reading.buckets[i] += count;
      reading.count += count;
    }
  }
}

}  // namespace

void NamedCounter::add_slowly(std::int64_t by) noexcept {
  const std::lock_guard lock(registry().mutex);
  std::uint32_t index = index_.load(std::memory_order_relaxed);
  if (index == 0) {
    index = counter_index(name_);
    index_.store(index, std::memory_order_relaxed);
  }
  if (CounterCells* mine = cells_of_thread()) {
    detail::add_to_cell(mine->counters[index], by);
    return;
  }
  // A thread in its last moments borrows cells that nobody uses.
  CounterCells* borrowed = claim_cells();
  detail::add_to_cell(borrowed->counters[index], by);
  borrowed->in_use.store(false, std::memory_order_release);
}

std::int64_t NamedCounter::value() const noexcept {
  const std::uint32_t index = index_.load(std::memory_order_relaxed);
  return index != 0 ? sum_of_counter(index) : 0;
}

NamedCounter& counter(std::string_view name) {
  static auto& made = *new std::vector<NamedCounter*>;
  const std::lock_guard lock(registry().mutex);
  handle_forks();
  const auto found =
      std::lower_bound(made.begin(), made.end(), name,
                       [](const NamedCounter* c, std::string_view n) { return c->name() < n; });
  if (found != made.end() && (*found)->name() == name) return **found;
  char* text = new char[name.size()];
  std::copy(name.begin(), name.end(), text);
  return **made.insert(found, new NamedCounter(std::string_view(text, name.size())));
}

void NamedHistogram::record(std::uint64_t value) noexcept {
  const std::uint32_t index = index_.load(std::memory_order_relaxed);
  HistogramCells* cells = nullptr;
  if (index != 0 && detail::counter_cells != nullptr) {
    cells = detail::counter_cells->histograms[index].load(std::memory_order_relaxed);
  }
  if (cells == nullptr) cells = cells_slowly();
  if (cells == nullptr) return;
  detail::add_to_cell(cells->buckets[histogram_bucket(value)], 1);
  detail::add_to_cell(cells->sum, static_cast<std::int64_t>(value));
}

detail::HistogramCells* NamedHistogram::cells_slowly() noexcept {
  const std::lock_guard lock(registry().mutex);
  Registry& all = registry();
  std::uint32_t index = index_.load(std::memory_order_relaxed);
  if (index == 0) {
    index = index_of(all.histogram_text, all.histogram_size, all.histograms, name_);
    if (index == 0) return nullptr;
    index_.store(index, std::memory_order_relaxed);
  }
  CounterCells* mine = cells_of_thread();
  if (mine == nullptr) return nullptr;
  HistogramCells* cells = mine->histograms[index].load(std::memory_order_relaxed);
  if (cells == nullptr) {
    cells = new HistogramCells;
    mine->histograms[index].store(cells, std::memory_order_release);
  }
  return cells;
}

std::uint64_t HistogramReading::quantile(double share) const noexcept {
  if (count == 0) return 0;
  const auto wanted = std::max<std::uint64_t>(
      1, static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(count))));
  std::uint64_t seen = 0;
  std::size_t bucket = 0;
  while (bucket + 1 < kHistogramBuckets && (seen += buckets[bucket]) < wanted) ++bucket;
  return bucket + 1 < kHistogramBuckets ? histogram_bucket_start(bucket + 1) - 1 : UINT64_MAX;
}

std::int64_t CounterSnapshot::value(std::string_view name) const noexcept {
  for (const CounterReading& reading : counters) {
    if (reading.name == name) return reading.value;
  }
  return 0;
}

const HistogramReading* CounterSnapshot::histogram(std::string_view name) const noexcept {
  for (const HistogramReading& reading : histograms) {
    if (reading.name == name) return &reading;
  }
  return nullptr;
}

CounterSnapshot counter_snapshot() {
  CounterSnapshot snapshot;
  {
    const std::lock_guard lock(registry().mutex);
    for (std::uint32_t i = kOverflow; i < registry().counters; ++i) {
      snapshot.counters.push_back({std::string(registry().counter_name(i)), sum_of_counter(i)});
    }
    for (std::uint32_t i = 1; i < registry().histograms; ++i) {
      HistogramReading& reading = snapshot.histograms.emplace_back();
      reading.name = registry().histogram_name(i);
      sum_of_histogram(i, reading);
    }
  }
  const auto by_name = [](const auto& a, const auto& b) { return a.name < b.name; };
  std::sort(snapshot.counters.begin(), snapshot.counters.end(), by_name);
  std::sort(snapshot.histograms.begin(), snapshot.histograms.end(), by_name);
  return snapshot;
}

}  // namespace spanwire
