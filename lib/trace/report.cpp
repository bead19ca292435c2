#include <chrono>
#include <cstdio>
#include <string>
#include <string_view>

#include "spanwire/trace/exporter.hpp"
#include "spanwire/trace/provider.hpp"

namespace spanwire::trace {

std::string_view name(LossReason reason) noexcept {
  switch (reason) {
    case LossReason::ring_full:
      return "ring_full";
    case LossReason::queue_full:
      return "queue_full";
    case LossReason::too_many_open:
      return "too_many_open";
    case LossReason::too_many_threads:
      return "too_many_threads";
    case LossReason::export_failed:
      return "export_failed";
    case LossReason::export_timeout:
      return "export_timeout";
    case LossReason::exporter_threw:
      return "exporter_threw";
    case LossReason::no_exporter:
      return "no_exporter";
    case LossReason::shut_down:
      return "shut_down";
    case LossReason::refused:
      return "refused";
    case LossReason::too_large:
      return "too_large";
    case LossReason::exporter_full:
      return "exporter_full";
  }
  return "unknown";
}

std::string LossCounts::to_string() const {
  std::string text;
  for (std::size_t i = 0; i < kLossReasons; ++i) {
    if (spans[i] == 0) continue;
    if (!text.empty()) text += ", ";
    text += std::string(name(static_cast<LossReason>(i))) + " " + std::to_string(spans[i]);
  }
  return text;
}

namespace {

void append_lost(std::string& text, const LossCounts& lost) {
  text += ", lost " + std::to_string(lost.total());
  if (lost.total() != 0) text += " (" + lost.to_string() + ")";
}

std::string counted(std::uint64_t number, std::string_view noun, std::string_view plural) {
  return std::to_string(number) + " " + std::string(number == 1 ? noun : plural);
}

std::string milliseconds(std::chrono::nanoseconds time) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3f ms", static_cast<double>(time.count()) / 1e6);
  return text;
}

}  // namespace

std::string keep_text(const ProviderOptions& options) {
  std::string text = options.keep_errors ? ", keeps failed spans" : "";
  if (options.keep_slower_than.count() <= 0) return text;
  const auto slow = std::chrono::duration_cast<std::chrono::milliseconds>(options.keep_slower_than);
  return text + ", keeps spans over " + std::to_string(slow.count()) + " ms";
}

std::string ExporterStats::to_string() const {
  std::string text = name + ": exported " + std::to_string(exported);
  append_lost(text, lost);
  text += ", " + std::to_string(queued) + " queued, " + counted(failures, "failure", "failures") +
          ", " + counted(batches, "batch", "batches");
  if (batches != 0) {
    text += " of " + milliseconds(time / static_cast<std::int64_t>(batches)) + ", at most " +
            milliseconds(longest);
  }
  if (cause != Error()) text += "; last failure: " + cause.message();
  return text;
}

std::string FlushReport::to_string() const {
  std::string text = "exported " + std::to_string(exported) + " spans";
  if (missed != 0) text += ", " + std::to_string(missed) + " of them not to every exporter";
  if (lost.total() != 0) append_lost(text, lost);
  if (queued != 0) text += ", " + std::to_string(queued) + " still queued";
  if (open != 0) text += ", " + std::to_string(open) + " still open";
  if (!in_time) text += ", not in time";
  if (cause != Error()) text += ": " + cause.message();
  return text;
}

}  // namespace spanwire::trace
