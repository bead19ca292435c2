#include <cstring>

#include "lib/base/counter_registry.hpp"

namespace spanwire::detail {

bool ExemplarCell::read(std::uint64_t& value, Exemplar& exemplar) const noexcept {
  const std::uint32_t before = version_.load(std::memory_order_acquire);
  if (before == 0 || before % 2 != 0) return false;
  std::array<std::uint64_t, kWords> words;
  for (std::size_t i = 0; i < kWords; ++i) words[i] = words_[i].load(std::memory_order_acquire);
  if (version_.load(std::memory_order_relaxed) != before) return false;
  std::memcpy(exemplar.trace_id.data(), words.data(), 16);
  std::memcpy(exemplar.span_id.data(), words.data() + 2, 8);
  value = words[3];
  exemplar.at = MonotonicTime(std::chrono::nanoseconds(static_cast<std::int64_t>(words[4])));
  return true;
}

void ExemplarCell::clear() noexcept { version_.store(0, std::memory_order_relaxed); }

HistogramCells* HistogramCells::make(std::uint32_t buckets, bool exemplars) {
  return new HistogramCells(buckets, exemplars);
}

void HistogramCells::zero() noexcept {
  sum.store(0, std::memory_order_relaxed);
  for (std::uint32_t i = 0; i < bucket_count_; ++i) {
    buckets_[i].store(0, std::memory_order_relaxed);
    if (exemplars_ != nullptr) exemplars_[i].clear();
  }
}

}  // namespace spanwire::detail
