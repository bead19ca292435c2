#include "lib/trace/accounts.hpp"

#include <algorithm>
#include <string>
#include <utility>

namespace spanwire::trace::detail {
namespace {

constexpr std::uint64_t kMillisecond = 1'000'000;
constexpr std::uint64_t kDurations[] = {
    kMillisecond / 4,    kMillisecond,        5 * kMillisecond,     25 * kMillisecond,
    100 * kMillisecond,  250 * kMillisecond,  500 * kMillisecond,   1'000 * kMillisecond,
    2500 * kMillisecond, 5000 * kMillisecond, 10000 * kMillisecond, 30000 * kMillisecond};
constinit HistogramFamily durations("spanwire_trace_export_duration_seconds",
                                    "How long an exporter had a batch.", kDurations,
                                    MetricUnit::nanoseconds, {"exporter"});

}  // namespace

void Accounts::set_exporters(const std::vector<std::string_view>& names) {
  std::vector<ExporterStats> exporters;
  for (const std::string_view name : names) {
    ExporterStats& exporter = exporters.emplace_back();
    exporter.name = name;
    const auto before = std::count(names.begin(), names.begin() + exporters.size() - 1, name);
    if (before != 0) exporter.name += "-" + std::to_string(before + 1);
    // Not under our lock: a fork may take the registry's first.
    durations_.push_back(&durations.with({exporter.name}));
  }
  const std::scoped_lock lock(mutex_);
  exporters_ = std::move(exporters);
}

Tally Accounts::open(std::size_t spans) {
  const std::scoped_lock lock(mutex_);
  opened_ += spans;
  for (ExporterStats& exporter : exporters_) exporter.queued += spans;
  return {spans, 0, spans, exporters_.size()};
}

void Accounts::settle(Tally& tally, std::size_t exporter, std::size_t delivered,
                      LossReason reason) {
  const std::scoped_lock lock(mutex_);
  // Given up on meanwhile, and counted as lost: it stays at that.
  if (whole_.closed) return;
  delivered = std::min(delivered, tally.spans);
  ExporterStats& own = exporters_[exporter];
  own.exported += delivered;
  own.lost[reason] += tally.spans - delivered;
  own.queued -= tally.spans;
  const std::size_t more = delivered > tally.delivered ? delivered - tally.delivered : 0;
  tally.delivered += more;
  tally.least = std::min(tally.least, delivered);
  whole_.exported += more;
  whole_.taken += more;
  if (--tally.outstanding != 0) return;
  whole_.missed += tally.delivered - tally.least;
  whole_.lost[reason] += tally.spans - tally.delivered;
  whole_.taken += tally.spans - tally.delivered;
}

void Accounts::lose(std::size_t spans, LossReason reason) {
  const std::scoped_lock lock(mutex_);
  if (whole_.closed) return;
  opened_ += spans;
  whole_.taken += spans;
  whole_.lost[reason] += spans;
  for (ExporterStats& exporter : exporters_) exporter.lost[reason] += spans;
}

void Accounts::note_failure(std::size_t exporter, const Error& error) {
  const std::scoped_lock lock(mutex_);
  ++exporters_[exporter].failures;
  exporters_[exporter].cause = error;
  ++whole_.failures;
  whole_.cause = error;
}

void Accounts::note_time(std::size_t exporter, std::chrono::nanoseconds took) {
  durations_[exporter]->observe(static_cast<std::uint64_t>(took.count()));
  const std::scoped_lock lock(mutex_);
  ExporterStats& own = exporters_[exporter];
  ++own.batches;
  own.time += took;
  own.longest = std::max(own.longest, took);
}

void Accounts::close() {
  const std::scoped_lock lock(mutex_);
  if (whole_.closed) return;
  whole_.closed = true;
  whole_.lost[LossReason::export_timeout] += opened_ - whole_.taken;
  whole_.taken = opened_;
  for (ExporterStats& exporter : exporters_) {
    exporter.lost[LossReason::export_timeout] += exporter.queued;
    exporter.queued = 0;
  }
}

Settled Accounts::settled() const {
  const std::scoped_lock lock(mutex_);
  return whole_;
}

std::vector<ExporterStats> Accounts::exporters() const {
  std::vector<ExporterStats> copy;
  copy_exporters(copy);
  return copy;
}

void Accounts::copy_exporters(std::vector<ExporterStats>& to) const {
  const std::scoped_lock lock(mutex_);
  to = exporters_;
}

}  // namespace spanwire::trace::detail
