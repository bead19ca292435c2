#include "lib/trace/self_telemetry.hpp"

#include <string>
#include <utility>

#include "lib/trace/core.hpp"
#include "spanwire/base/counters.hpp"
#include "spanwire/base/log.hpp"
#include "spanwire/base/metrics.hpp"
#include "spanwire/trace/context_counters.hpp"

namespace spanwire::trace::detail {
namespace {

constexpr std::size_t kLostSeriesMax = 256;  // exporters times reasons

constinit CounterFamily exporter_exported("spanwire_trace_exporter_spans_exported_total",
                                          "Spans that the exporter delivered.", {"exporter"});
constinit CounterFamily exporter_lost("spanwire_trace_exporter_spans_lost_total",
                                      "Spans that the exporter did not deliver.",
                                      {"exporter", "reason"}, MetricType::counter, kLostSeriesMax);
constinit CounterFamily exporter_failures("spanwire_trace_exporter_failures_total",
                                          "Batches and flushes that failed, also in part.",
                                          {"exporter"});
constinit CounterFamily exporter_queued("spanwire_trace_exporter_spans_queued",
                                        "Spans that wait for the exporter or are at it.",
                                        {"exporter"}, MetricType::gauge);

void add_difference(NamedCounter& counter, std::uint64_t now, std::uint64_t before) noexcept {
  if (now != before) counter.add(static_cast<std::int64_t>(now - before));
}

}  // namespace

void SelfTelemetry::publish(const Core& core) {
  // Read under the lock: a counter never falls.
  const std::scoped_lock lock(mutex_);
  const TraceStats now = core.stats();
  core.processor().accounts().copy_exporters(exporters_);
  add_difference(counter("spanwire.trace.spans_started"), now.started, published_.started);
  add_difference(counter("spanwire.trace.spans_recorded"), now.recorded, published_.recorded);
  add_difference(counter("spanwire.trace.spans_kept"), now.kept, published_.kept);
  add_difference(counter("spanwire.trace.spans_ended"), now.ended, published_.ended);
  add_difference(counter("spanwire.trace.spans_exported"), now.exported, published_.exported);
  add_difference(counter("spanwire.trace.spans_misused"), now.misused, published_.misused);
  // Levels, as of this moment.
  add_difference(counter("spanwire.trace.spans_queued"), now.queued, published_.queued);
  add_difference(counter("spanwire.trace.spans_open"), now.open, published_.open);
  LossCounts fresh;
  for (std::size_t i = 0; i < kLossReasons; ++i) {
    fresh.spans[i] = now.lost.spans[i] - published_.lost.spans[i];
    if (shown_ && fresh.spans[i] == 0) continue;
    const std::string_view reason = name(static_cast<LossReason>(i));
    counter("spanwire.trace.spans_lost." + std::string(reason))
        .add(static_cast<std::int64_t>(fresh.spans[i]));
  }
  // Who watches for an increase has to have seen the zero.
  if (!std::exchange(shown_, true)) show_refused();
  published_ = now;
  published_exporters_.resize(exporters_.size());
  for (std::size_t i = 0; i < exporters_.size(); ++i) {
    publish_exporter(exporters_[i], published_exporters_[i]);
  }
  published_exporters_.swap(exporters_);
  if (fresh.total() != 0) {
    log_warn("spans were lost", {{"spans", fresh.total()}, {"by_reason", fresh.to_string()}});
  }
}

// An exporter that has done nothing yet shows up with zeros.
void SelfTelemetry::publish_exporter(const ExporterStats& now, const ExporterStats& before) {
  const auto add = [&now](CounterFamily& family, std::uint64_t value, std::uint64_t earlier) {
    family.with({now.name}).add(static_cast<std::int64_t>(value - earlier));
  };
  add(exporter_exported, now.exported, before.exported);
  add(exporter_failures, now.failures, before.failures);
  add(exporter_queued, now.queued, before.queued);
  for (std::size_t i = 0; i < kLossReasons; ++i) {
    if (now.lost.spans[i] == before.lost.spans[i]) continue;
    add_difference(exporter_lost.with({now.name, name(static_cast<LossReason>(i))}),
                   now.lost.spans[i], before.lost.spans[i]);
  }
}

}  // namespace spanwire::trace::detail
