#include "lib/trace/accounts.hpp"

#include <algorithm>
#include <string>

namespace spanwire::trace::detail {

void Accounts::set_exporters(const std::vector<std::string_view>& names) {
  const std::scoped_lock lock(mutex_);
  for (const std::string_view name : names) {
    ExporterStats& exporter = exporters_.emplace_back();
    exporter.name = name;
    const auto before = std::count(names.begin(), names.begin() + exporters_.size() - 1, name);
    if (before != 0) exporter.name += "-" + std::to_string(before + 1);
  }
}

Tally Accounts::open(std::size_t spans) {
  const std::scoped_lock lock(mutex_);
  opened_ += spans;
  for (ExporterStats& exporter : exporters_) exporter.queued += spans;
  return {spans, 0, exporters_.size()};
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
  whole_.exported += more;
  whole_.taken += more;
  if (--tally.outstanding != 0) return;
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
  const std::scoped_lock lock(mutex_);
  return exporters_;
}

}  // namespace spanwire::trace::detail
