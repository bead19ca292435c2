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

std::string FlushReport::to_string() const {
  std::string text = "exported " + std::to_string(exported) + " spans";
  if (lost.total() != 0) {
    text += ", lost " + std::to_string(lost.total()) + " (" + lost.to_string() + ")";
  }
  if (queued != 0) text += ", " + std::to_string(queued) + " still queued";
  if (open != 0) text += ", " + std::to_string(open) + " still open";
  if (!in_time) text += ", not in time";
  if (cause != Error()) text += ": " + cause.message();
  return text;
}

}  // namespace spanwire::trace
