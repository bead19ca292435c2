// What became of the spans that were taken out of the rings: of all, and at each exporter.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string_view>
#include <vector>

#include "spanwire/base/metrics.hpp"
#include "spanwire/trace/exporter.hpp"
#include "spanwire/trace/provider.hpp"

namespace spanwire::trace::detail {

// Spans as far as this side knows them.
struct Settled {
  std::uint64_t exported = 0;
  std::uint64_t missed = 0;  // of those: lost to another exporter
  LossCounts lost;
  // Exported, lost, or at an exporter that was given up on.
  std::uint64_t taken = 0;
  // Shutdown is over: what still waits in the rings is lost.
  bool closed = false;
  std::uint64_t failures = 0;
  Error cause;  // of the latest failure
};

// One batch at its exporters; guarded by the accounts.
struct Tally {
  std::size_t spans = 0;
  std::size_t delivered = 0;    // by the exporter that delivered most
  std::size_t least = 0;        // by the one that delivered least
  std::size_t outstanding = 0;  // exporters that have not answered
};

// Safe from any thread.
class Accounts {
 public:
  // Once, before the first batch.
  void set_exporters(const std::vector<std::string_view>& names);

  // `spans` were taken out of the rings and handed to every exporter.
  Tally open(std::size_t spans);
  // The exporter delivered that many of them, the others are lost to it.  A span is exported with
  // the first exporter that delivers it, and lost with the last that does not.
  void settle(Tally& tally, std::size_t exporter, std::size_t delivered, LossReason reason);
  // They reach no exporter at all.
  void lose(std::size_t spans, LossReason reason);
  void note_failure(std::size_t exporter, const Error& error);
  // How long it had a batch.
  void note_time(std::size_t exporter, std::chrono::nanoseconds took);
  // What is at an exporter now is given up on.
  void close();

  Settled settled() const;
  std::vector<ExporterStats> exporters() const;
  // The same into what is there already: without an allocation if it has room.
  void copy_exporters(std::vector<ExporterStats>& to) const;

  // Around a fork, so that the child can read what is settled.
  void lock() { mutex_.lock(); }
  void unlock() { mutex_.unlock(); }

 private:
  mutable std::mutex mutex_;
  Settled whole_;
  std::uint64_t opened_ = 0;
  std::vector<ExporterStats> exporters_;
  std::vector<BoundedHistogram*> durations_;  // of each; fixed before the first batch
};

}  // namespace spanwire::trace::detail
