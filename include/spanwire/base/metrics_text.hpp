// What counters and histograms read, as text for Prometheus.
// Formats: Prometheus text 0.0.4; OpenMetrics 1.0.0, which has exemplars.
//
//   counters and gauges    name{label="value"} 12
//   histograms             name_bucket{...,le="0.1"} 3, name_sum, name_count; nanoseconds as
//   seconds without labels         counters as untyped (some are levels), histograms as summaries
//   with the
//                          quantiles 0.5, 0.9, 0.99 and 0.999, right to an eighth
//
// Characters that a name may not have become '_'; a name that is taken then gets a number.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "spanwire/base/metrics.hpp"

namespace spanwire {

enum class MetricsFormat : std::uint8_t { prometheus, openmetrics };

// The format that an HTTP Accept field asks for: OpenMetrics where it is named, also with a lower
// weight than others, unless its weight is 0; else Prometheus text.
MetricsFormat metrics_format(std::string_view accept) noexcept;

// The Content-Type of a format.
std::string_view content_type(MetricsFormat format) noexcept;

// The whole answer to a scrape.
std::string metrics_text(const MetricsSnapshot& snapshot, MetricsFormat format);

}  // namespace spanwire
