// What an active provider consists of.  Made by init(), and anew in a forked child; never freed,
// because spans that are still open refer to it.
#pragma once

#include <time.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "lib/trace/arena.hpp"
#include "lib/trace/processor.hpp"
#include "lib/trace/rate_limit.hpp"
#include "lib/trace/self_telemetry.hpp"
#include "lib/trace/slab.hpp"
#include "lib/trace/thread_state.hpp"
#include "spanwire/trace/provider.hpp"

namespace spanwire::trace::detail {

// Of a plain span: with more, it is written as any other.
inline constexpr std::size_t kPlainAttributesMax = 64;
// Of the items of a span that is written straight into the ring.
inline constexpr std::size_t kDirectBytesMax = 4096;

// Safe from any thread.
class Core {
 public:
  explicit Core(ProviderOptions options);
  // For a forked child: the same options, nothing of what `parent` had recorded.
  struct Inherit {};
  Core(Inherit, const Core& parent);

  // Fixed from the beginning.
  const ProviderOptions& options() const noexcept { return options_; }
  // Null where rule() says all of it.
  const Sampler* sampler() const noexcept { return sampler_; }
  const PlainRule& rule() const noexcept { return rule_; }
  // A span under an unsampled parent is dropped without asking anybody.
  bool drops_unsampled_children() const noexcept { return drops_unsampled_children_; }
  // A span under a sampled parent is recorded without asking anybody.
  bool records_sampled_children() const noexcept { return records_sampled_children_; }
  // Unsampled spans are watched until they end.
  bool watches() const noexcept { return watches_; }
  // Whether a watched span that ended so is exported; counted where it is one too many.
  bool keeps(StatusCode status, std::int64_t duration_ns) noexcept;
  const SpanLimits& limits() const noexcept { return options_.limits; }
  // A span with fewer attributes may be a plain one (plain_span.hpp); 0 where the limits, or a
  // bounded queue, ask for more than a look at their number.
  std::size_t plain_attributes_end() const noexcept { return plain_attributes_end_; }
  // Texts of attributes that are copied without looking at anything else.
  std::size_t short_text_max() const noexcept { return short_text_max_; }
  // What every record begins with.
  const Budget& budget() const noexcept { return budget_; }
  // Links that a span for a batch may have.
  std::uint16_t batch_links() const noexcept {
    return static_cast<std::uint16_t>(std::min<std::size_t>(limits().batch_links_max, 0xFFFF));
  }
  const Clock& clock() const noexcept { return *options_.clock; }
  // Of the clock above.  Spared the way through it where it is the machine's.
  std::int64_t monotonic_ns() const noexcept {
    if (!system_clock_) return options_.clock->monotonic().time_since_epoch().count();
    timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
  }
  const std::vector<const Exporter*>& prototypes() const noexcept { return prototypes_; }
  bool of_this_process() const noexcept;
  // False without exporters: spans have ids and are sampled, but there is nobody to record for.
  bool records() const noexcept { return !prototypes_.empty(); }

  Slab& slab() noexcept { return slab_; }
  Processor& processor() noexcept { return processor_; }
  const Processor& processor() const noexcept { return processor_; }

  ThreadState* first_state() const noexcept { return states_.load(std::memory_order_acquire); }
  // Null beyond kThreadsMax or without memory.
  ThreadState* add_state() noexcept;

  // For records that outgrow their place.
  Arena& arena() noexcept { return arena_; }

  // Places in the queue when queue_spans_max is set.
  bool enter_queue(std::size_t spans) noexcept {
    return options_.queue_spans_max == 0 || enter_bounded_queue(spans);
  }
  void leave_queue(std::size_t spans) noexcept;

  // Ended without getting into a thread's counters.
  void lose_ended(LossReason reason, std::size_t spans = 1) noexcept {
    ended_elsewhere_.fetch_add(spans, std::memory_order_relaxed);
    lose(reason, spans);
  }
  // Recorded by the sampler's will, but without a thread's state there was no place for it.
  void lose_unopened(LossReason reason) noexcept {
    unopened_.fetch_add(1, std::memory_order_relaxed);
    lose(reason);
  }
  // Opened by a thread that has no state.
  void open_elsewhere(std::size_t spans) noexcept {
    opened_elsewhere_.fetch_add(spans, std::memory_order_relaxed);
  }
  void count_misuse() noexcept { misused_.fetch_add(1, std::memory_order_relaxed); }

  TraceStats stats() const;
  // Adds what has happened since the last call to the named counters, and says so if spans were
  // lost.  Off the hot path.
  void publish() { telemetry_.publish(*this); }

 private:
  bool enter_bounded_queue(std::size_t spans) noexcept;
  void lose(LossReason reason, std::size_t spans = 1) noexcept {
    lost_[static_cast<std::size_t>(reason)].fetch_add(spans, std::memory_order_relaxed);
  }
  // What is to be done with spans, by the options.
  void use_sampler();
  void ask_sampler();
  static ProviderOptions copy_settings(const ProviderOptions& options);

  ProviderOptions options_;
  std::vector<const Exporter*> prototypes_;
  Budget budget_;
  std::size_t plain_attributes_end_;
  std::size_t short_text_max_;
  PlainRule rule_{0, true};  // without a sampler: roots always, others as their parent
  const Sampler* sampler_ = nullptr;
  bool drops_unsampled_children_ = true;
  bool records_sampled_children_ = false;
  bool watches_ = false;
  const std::uint32_t fork_generation_;
  std::size_t ring_bytes_;
  Slab slab_;
  Arena arena_;
  const bool system_clock_;
  std::atomic<ThreadState*> states_{nullptr};
  std::atomic<std::size_t> state_count_{0};
  std::atomic<std::size_t> queued_{0};
  std::array<std::atomic<std::uint64_t>, kLossReasons> lost_{};
  std::atomic<std::uint64_t> ended_elsewhere_{0};
  std::atomic<std::uint64_t> unopened_{0};
  std::atomic<std::uint64_t> opened_elsewhere_{0};
  std::atomic<std::uint64_t> misused_{0};
  std::uint64_t discarded_in_child_ = 0;
  std::uint64_t filtered_before_ = 0;
  RateLimit keep_rate_;
  SelfTelemetry telemetry_;
  Processor processor_;
};

// The active core, or the one that was active last; null before init().
Core* latest_core() noexcept;

}  // namespace spanwire::trace::detail
