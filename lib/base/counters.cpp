#include "spanwire/base/counters.hpp"

#include <pthread.h>

#include <algorithm>
#include <cmath>
#include <mutex>

#include "lib/base/counter_registry.hpp"
#include "lib/base/fork_order.hpp"

namespace spanwire {
namespace detail {
namespace {

constinit NamedCounter lost_records("spanwire.histograms.overflow");

union RegistryStorage {
  constexpr RegistryStorage() : registry() {}
  ~RegistryStorage() {}
  Registry registry;
};
constinit RegistryStorage storage;

void zero(CounterCells& cells) noexcept {
  for (auto& cell : cells.counters) cell.store(0, std::memory_order_relaxed);
  for (auto& pointer : cells.histograms) {
    if (HistogramCells* histogram = pointer.load(std::memory_order_relaxed)) histogram->zero();
  }
}

// In the child only the forking thread lives: the cells of the others are free.
void after_fork_in_child() noexcept {
  for (CounterCells* cells = registry().cells.load(); cells != nullptr; cells = cells->next) {
    zero(*cells);
    cells->in_use.store(cells == counter_cells);
  }
  storage.registry.mutex.unlock();
}

// One of the threads could hold the lock while a process forks whose handlers are not there yet.
[[gnu::constructor(detail::kForkHandlersOfCounters)]] void watch_forks() {
  pthread_atfork([] { registry().mutex.lock(); }, [] { registry().mutex.unlock(); },
                 &after_fork_in_child);
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
CounterCells* claim_cells() {
  Registry& all = registry();
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

}  // namespace

Registry& registry() noexcept { return storage.registry; }

std::uint32_t counter_index(std::string_view name) noexcept {
  Registry& all = registry();
  if (all.counters == kOverflow) {
    index_of(all.counter_text, all.counter_size, all.counters, "spanwire.counters.overflow");
  }
  const std::uint32_t index = index_of(all.counter_text, all.counter_size, all.counters, name);
  return index != 0 ? index : kOverflow;
}

std::uint32_t histogram_index(std::string_view name,
                              const Registry::HistogramShape& shape) noexcept {
  Registry& all = registry();
  const std::uint32_t before = all.histograms;
  const std::uint32_t index =
      index_of(all.histogram_text, all.histogram_size, all.histograms, name);
  if (index == before) all.histogram_shape[index] = shape;
  const Registry::HistogramShape& known = all.histogram_shape[index];
  const bool same = known.buckets == shape.buckets && known.exemplars == shape.exemplars;
  return same ? index : 0;
}

std::int64_t sum_of_counter(std::uint32_t index) noexcept {
  std::int64_t sum = 0;
  const CounterCells* cells = registry().cells.load(std::memory_order_acquire);
  for (; cells != nullptr; cells = cells->next) {
    sum += cells->counters[index].load(std::memory_order_relaxed);
  }
  return sum;
}

namespace {

// With the lock held.
HistogramCells* cells_under_lock(std::atomic<std::uint32_t>& index, std::string_view name,
                                 const Registry::HistogramShape& shape) noexcept {
  std::uint32_t known = index.load(std::memory_order_relaxed);
  if (known == 0) {
    known = histogram_index(name, shape);
    if (known == 0) return nullptr;
    index.store(known, std::memory_order_relaxed);
  }
  CounterCells* mine = cells_of_thread();
  if (mine == nullptr) return nullptr;
  HistogramCells* cells = mine->histograms[known].load(std::memory_order_relaxed);
  if (cells == nullptr) {
    cells = HistogramCells::make(shape.buckets, shape.exemplars);
    mine->histograms[known].store(cells, std::memory_order_release);
  }
  return cells;
}

}  // namespace

HistogramCells* make_cells(std::atomic<std::uint32_t>& index, std::string_view name,
                           const Registry::HistogramShape& shape) noexcept {
  HistogramCells* cells = nullptr;
  {
    const std::lock_guard lock(registry().mutex);
    cells = cells_under_lock(index, name, shape);
  }
  if (cells == nullptr) lost_records.add();
  return cells;
}

}  // namespace detail

namespace {

using detail::CounterCells;
using detail::HistogramCells;
using detail::registry;

void sum_of_histogram(std::uint32_t index, HistogramReading& reading) noexcept {
  const CounterCells* cells = registry().cells.load(std::memory_order_acquire);
  for (; cells != nullptr; cells = cells->next) {
    HistogramCells* part = cells->histograms[index].load(std::memory_order_acquire);
    if (part == nullptr) continue;
    reading.sum += static_cast<std::uint64_t>(part->sum.load(std::memory_order_relaxed));
    for (std::size_t i = 0; i < kHistogramBuckets; ++i) {
      const auto count =
          static_cast<std::uint64_t>(part->bucket(i).load(std::memory_order_relaxed));
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
    index = detail::counter_index(name_);
    index_.store(index, std::memory_order_relaxed);
  }
  if (CounterCells* mine = detail::cells_of_thread()) {
    detail::add_to_cell(mine->counters[index], by);
    return;
  }
  // A thread in its last moments borrows cells that nobody uses.
  CounterCells* borrowed = detail::claim_cells();
  detail::add_to_cell(borrowed->counters[index], by);
  borrowed->in_use.store(false, std::memory_order_release);
}

std::int64_t NamedCounter::value() const noexcept {
  const std::uint32_t index = index_.load(std::memory_order_relaxed);
  return index != 0 ? detail::sum_of_counter(index) : 0;
}

NamedCounter& counter(std::string_view name) {
  const std::lock_guard lock(registry().mutex);
  // Under the lock: a fork amid the making of a static leaves its child waiting for it.
  static auto& made = *new std::vector<NamedCounter*>;
  const auto found =
      std::lower_bound(made.begin(), made.end(), name,
                       [](const NamedCounter* c, std::string_view n) { return c->name() < n; });
  if (found != made.end() && (*found)->name() == name) return **found;
  char* text = new char[name.size()];
  std::copy(name.begin(), name.end(), text);
  return **made.insert(found, new NamedCounter(std::string_view(text, name.size())));
}

void NamedHistogram::record(std::uint64_t value) noexcept {
  HistogramCells* cells = detail::known_cells(index_);
  if (cells == nullptr) {
    cells = detail::make_cells(index_, name_, {kHistogramBuckets, false, false, unit_});
    if (cells == nullptr) return;
  }
  detail::add_to_cell(cells->bucket(histogram_bucket(value)), 1);
  detail::add_to_cell(cells->sum, static_cast<std::int64_t>(value));
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

CounterSnapshot detail::read_counters(bool labelled) {
  CounterSnapshot snapshot;
  {
    const std::lock_guard lock(registry().mutex);
    const detail::Registry& all = registry();
    for (std::uint32_t i = detail::kOverflow; i < all.counters; ++i) {
      if (all.counter_labelled[i] && !labelled) continue;
      snapshot.counters.push_back({std::string(all.counter_name(i)), detail::sum_of_counter(i)});
    }
    for (std::uint32_t i = 1; i < all.histograms; ++i) {
      if (all.histogram_shape[i].labelled) continue;
      HistogramReading& reading = snapshot.histograms.emplace_back();
      reading.name = all.histogram_name(i);
      reading.unit = all.histogram_shape[i].unit;
      sum_of_histogram(i, reading);
    }
  }
  const auto by_name = [](const auto& a, const auto& b) { return a.name < b.name; };
  std::sort(snapshot.counters.begin(), snapshot.counters.end(), by_name);
  std::sort(snapshot.histograms.begin(), snapshot.histograms.end(), by_name);
  return snapshot;
}

CounterSnapshot counter_snapshot() { return detail::read_counters(true); }

}  // namespace spanwire
