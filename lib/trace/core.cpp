#include "lib/trace/core.hpp"

#include <algorithm>
#include <bit>
#include <limits>
#include <new>
#include <utility>

#include "lib/base/copy_text.hpp"
#include "spanwire/base/counters.hpp"
#include "spanwire/base/fork.hpp"
#include "spanwire/trace/filter.hpp"
#include "spanwire/trace/tracer.hpp"

namespace spanwire::trace::detail {
namespace {

constexpr std::size_t kRingBytesMin = 64u << 10;
constexpr std::size_t kRingBytesMax = 1u << 30;

constinit NamedCounter too_many_kept("spanwire.trace.spans_too_many_to_keep");

std::vector<const Exporter*> prototypes_of(const ProviderOptions& options) {
  std::vector<const Exporter*> prototypes;
  for (const auto& exporter : options.exporters) prototypes.push_back(exporter.get());
  return prototypes;
}

Budget budget_of(const SpanLimits& limits) noexcept {
  // What the record's 16-bit counters can hold.
  constexpr std::size_t kCountMax = std::numeric_limits<std::uint16_t>::max();
  constexpr std::size_t kCharsMax = std::numeric_limits<std::uint32_t>::max();
  return {sizeof(OpenRecord::inline_items),
          static_cast<std::uint16_t>(std::min(limits.attributes_max, kCountMax)),
          static_cast<std::uint16_t>(std::min(limits.events_max, kCountMax)),
          static_cast<std::uint32_t>(std::min(limits.value_chars_max, kCharsMax)),
          static_cast<std::uint16_t>(std::min(limits.links_max, kCountMax)),
          0};
}

std::size_t plain_attributes_end_of(const ProviderOptions& options) noexcept {
  const SpanLimits& limits = options.limits;
  const bool all_alike =
      limits.bytes_max >= kDirectBytesMax && limits.links_max != 0 && options.queue_spans_max == 0;
  return all_alike ? std::min(limits.attributes_max, kPlainAttributesMax) + 1 : 0;
}

std::size_t rounded_ring(std::size_t bytes) noexcept {
  return std::bit_ceil(std::clamp(bytes, kRingBytesMin, kRingBytesMax));
}

}  // namespace

Core::Core(ProviderOptions options)
    : options_(std::move(options)),
      prototypes_(prototypes_of(options_)),
      budget_(budget_of(options_.limits)),
      plain_attributes_end_(plain_attributes_end_of(options_)),
      short_text_max_(std::min(options_.limits.value_chars_max, kShortTextBytes)),
      fork_generation_(fork_generation()),
      ring_bytes_(rounded_ring(options_.ring_bytes_per_thread)),
      slab_(options_.open_spans_max),
      arena_(options_.arena_bytes_max),
      system_clock_(options_.clock == &Clock::system()),
      keep_rate_(options_.keep_per_second_max, *options_.clock),
      processor_(*this, std::move(options_.exporters)) {
  filtered_before_ = spans_filtered();
  use_sampler();
}

Core::Core(Inherit, const Core& parent)
    : options_(copy_settings(parent.options_)),
      prototypes_(parent.prototypes_),
      budget_(parent.budget_),
      plain_attributes_end_(parent.plain_attributes_end_),
      short_text_max_(parent.short_text_max_),
      fork_generation_(fork_generation()),
      ring_bytes_(parent.ring_bytes_),
      slab_(options_.open_spans_max),
      arena_(options_.arena_bytes_max),
      system_clock_(options_.clock == &Clock::system()),
      keep_rate_(options_.keep_per_second_max, *options_.clock),
      processor_(*this, {}) {
  use_sampler();
  options_.resource.renew_after_fork();
  const TraceStats inherited = parent.stats();
  discarded_in_child_ = inherited.queued + inherited.open;
}

void Core::use_sampler() {
  watches_ = records() && (options_.keep_errors || options_.keep_slower_than.count() > 0);
  if (options_.sampler != nullptr) ask_sampler();
  // What is watched has to be started like any other span.
  if (watches_) drops_unsampled_children_ = false;
  records_sampled_children_ = records() && sampler_ == nullptr && rule_.follows_parent;
}

void Core::ask_sampler() {
  const std::optional<PlainRule> rule = options_.sampler->plain_rule();
  if (rule) {
    rule_ = *rule;
    drops_unsampled_children_ = rule_.follows_parent;
  } else {
    drops_unsampled_children_ = options_.sampler->drops_unsampled_children();
    sampler_ = options_.sampler.get();
  }
}

ProviderOptions Core::copy_settings(const ProviderOptions& options) {
  ProviderOptions copy;
  copy.resource = options.resource;
  copy.sampler = options.sampler;
  copy.keep_errors = options.keep_errors;
  copy.keep_slower_than = options.keep_slower_than;
  copy.keep_per_second_max = options.keep_per_second_max;
  copy.limits = options.limits;
  copy.schedule_delay = options.schedule_delay;
  copy.export_timeout = options.export_timeout;
  copy.batch_spans_max = options.batch_spans_max;
  copy.queue_spans_max = options.queue_spans_max;
  copy.exporter_queue_bytes_max = options.exporter_queue_bytes_max;
  copy.ring_bytes_per_thread = options.ring_bytes_per_thread;
  copy.open_spans_max = options.open_spans_max;
  copy.arena_bytes_max = options.arena_bytes_max;
  copy.exit_timeout = options.exit_timeout;
  copy.clock = options.clock;
  return copy;
}

bool Core::of_this_process() const noexcept { return fork_generation_ == fork_generation(); }

ThreadState* Core::add_state() noexcept {
  if (state_count_.fetch_add(1, std::memory_order_relaxed) >= kThreadsMax) {
    state_count_.fetch_sub(1, std::memory_order_relaxed);
    return nullptr;
  }
  auto* state = new (std::nothrow) ThreadState(*this, ring_bytes_);
  if (state == nullptr) return nullptr;
  ThreadState* first = states_.load(std::memory_order_relaxed);
  do {
    state->next = first;
  } while (!states_.compare_exchange_weak(first, state, std::memory_order_release));
  return state;
}

bool Core::keeps(StatusCode status, std::int64_t duration_ns) noexcept {
  const std::int64_t slow_ns = options_.keep_slower_than.count();
  const bool failed = options_.keep_errors && status == StatusCode::error;
  if (!failed && (slow_ns <= 0 || duration_ns <= slow_ns)) return false;
  if (keep_rate_.take()) return true;
  too_many_kept.add();
  return false;
}

bool Core::enter_bounded_queue(std::size_t spans) noexcept {
  const std::size_t before = queued_.fetch_add(spans, std::memory_order_relaxed);
  if (before + spans <= options_.queue_spans_max) return true;
  queued_.fetch_sub(spans, std::memory_order_relaxed);
  return false;
}

void Core::leave_queue(std::size_t spans) noexcept {
  if (options_.queue_spans_max != 0) queued_.fetch_sub(spans, std::memory_order_relaxed);
}

TraceStats Core::stats() const {
  TraceStats stats;
  // What the export thread took is read before what the rings were given: the difference may be too
  // large for a moment, never negative.
  const Settled settled = processor_.settled();
  std::uint64_t queued = 0;
  stats.ended = ended_elsewhere_.load(std::memory_order_relaxed);
  for (std::size_t i = 0; i < kLossReasons; ++i) {
    stats.lost.spans[i] = settled.lost.spans[i] + lost_[i].load(std::memory_order_relaxed);
  }
  std::uint64_t never_open = unopened_.load(std::memory_order_relaxed);
  stats.recorded = never_open + opened_elsewhere_.load(std::memory_order_relaxed);
  for (const ThreadState* state = first_state(); state != nullptr; state = state->next) {
    const auto lost = [state](LossReason reason) {
      return state->lost[static_cast<std::size_t>(reason)].get();
    };
    // Ends before beginnings: in between, a span may look open, never ended before it began.
    for (std::size_t i = 0; i < kLossReasons; ++i) stats.lost.spans[i] += state->lost[i].get();
    const std::uint64_t at_once = state->at_once.get();
    const std::uint64_t in_ring = state->queued.get() + at_once;
    queued += in_ring;
    stats.ended += in_ring + lost(LossReason::ring_full) + lost(LossReason::queue_full);
    never_open += lost(LossReason::too_many_open);
    stats.recorded += state->recorded.get() + at_once;
    stats.kept += state->kept.get();
    stats.started += state->unrecorded.get();
  }
  stats.started += stats.recorded;
  stats.recorded += stats.kept;
  stats.filtered = spans_filtered() - filtered_before_;
  stats.exported = settled.exported;
  stats.queued = queued - settled.taken;
  const std::uint64_t closed = stats.ended + never_open;
  stats.open = stats.recorded > closed ? stats.recorded - closed : 0;
  if (settled.closed) {
    stats.lost[LossReason::shut_down] += stats.queued;
    stats.queued = 0;
  }
  stats.misused = misused_.load(std::memory_order_relaxed);
  stats.discarded_in_child = discarded_in_child_;
  return stats;
}

}  // namespace spanwire::trace::detail
