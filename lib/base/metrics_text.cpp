#include "spanwire/base/metrics_text.hpp"

#include <algorithm>
#include <charconv>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "lib/base/ascii.hpp"

namespace spanwire {
namespace {

constexpr std::uint64_t kNanosecondsPerSecond = 1'000'000'000;
constexpr std::pair<double, std::string_view> kQuantiles[] = {
    {0.5, "0.5"}, {0.9, "0.9"}, {0.99, "0.99"}, {0.999, "0.999"}};

template <class Integer>
void append_integer(std::string& out, Integer value) {
  char text[24];
  out.append(text, std::to_chars(text, text + sizeof text, value).ptr);
}

// Exactly: a double would round the sum of a long life.
void append_seconds(std::string& out, std::uint64_t nanoseconds) {
  append_integer(out, nanoseconds / kNanosecondsPerSecond);
  std::string fraction =
      std::to_string(kNanosecondsPerSecond + nanoseconds % kNanosecondsPerSecond);
  fraction[0] = '.';
  const std::size_t last = fraction.find_last_not_of('0');
  out.append(fraction, 0, std::max<std::size_t>(last + 1, 2));
}

void append_value(std::string& out, MetricUnit unit, std::uint64_t value) {
  if (unit == MetricUnit::nanoseconds) return append_seconds(out, value);
  append_integer(out, value);
}

// A bound as a number with a point: how both formats write it in labels.
void append_bound(std::string& out, MetricUnit unit, std::uint64_t bound) {
  append_value(out, unit, bound);
  if (unit == MetricUnit::none) out += ".0";
}

void append_escaped(std::string& out, std::string_view text, bool quotes) {
  for (const char c : text) {
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '"' && quotes) {
      out += "\\\"";
    } else {
      out += c;
    }
  }
}

void append_hex(std::string& out, std::span<const std::uint8_t> bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  for (const std::uint8_t byte : bytes) out += {kDigits[byte >> 4], kDigits[byte & 15]};
}

bool is_name_character(char c, bool first) noexcept {
  const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':';
  return letter || (!first && c >= '0' && c <= '9');
}

std::string clean_name(std::string_view name) {
  std::string clean;
  for (const char c : name) {
    if (clean.empty() && c >= '0' && c <= '9') clean += '_';
    clean += is_name_character(c, clean.empty()) ? c : '_';
  }
  return clean.empty() ? "_" : clean;
}

class Writer {
 public:
  Writer(const MetricsSnapshot& snapshot, MetricsFormat format)
      : snapshot_(snapshot), openmetrics_(format == MetricsFormat::openmetrics) {}

  std::string write() && {
    for (const FamilyReading& family : snapshot_.families) write(family);
    for (const HistogramReading& histogram : snapshot_.plain.histograms) write(histogram);
    for (const CounterReading& counter : snapshot_.plain.counters) write(counter);
    if (openmetrics_) out_ += "# EOF\n";
    return std::move(out_);
  }

 private:
  // A name under which nothing else stands; what it may be followed by in samples is taken too.
  std::string take(std::string_view wanted) {
    const std::string clean = clean_name(wanted);
    std::string name = clean;
    for (int number = 2; !is_free(name); ++number) name = clean + "_" + std::to_string(number);
    for (const std::string_view suffix : kSuffixes) taken_.insert(name + std::string(suffix));
    return name;
  }
  bool is_free(const std::string& name) const {
    return std::none_of(std::begin(kSuffixes), std::end(kSuffixes), [&](std::string_view suffix) {
      return taken_.contains(name + std::string(suffix));
    });
  }

  void head(const std::string& name, std::string_view type, std::string_view help,
            MetricUnit unit) {
    out_.append("# TYPE ").append(name).append(" ").append(type) += '\n';
    if (openmetrics_ && unit == MetricUnit::nanoseconds && name.ends_with("_seconds")) {
      out_.append("# UNIT ").append(name).append(" seconds\n");
    }
    if (help.empty()) return;
    out_.append("# HELP ").append(name) += ' ';
    append_escaped(out_, help, openmetrics_);
    out_ += '\n';
  }

  // `extra`: one more label, as text that needs no escape.
  void labels(const FamilyReading& family, const SeriesReading& series, std::string_view key = {},
              std::string_view value = {}) {
    const char* before = "{";
    if (series.overflow) {
      out_.append(before).append(kOverflowLabel).append("=\"true\"");
      before = ",";
    }
    for (std::size_t i = 0; i < series.labels.size(); ++i) {
      // An empty label is as good as none.
      if (series.labels[i].empty()) continue;
      out_.append(before).append(family.labels[i]).append("=\"");
      append_escaped(out_, series.labels[i], true);
      out_ += '"';
      before = ",";
    }
    if (!key.empty()) {
      out_.append(before).append(key).append("=\"").append(value) += '"';
      before = ",";
    }
    if (*before == ',') out_ += '}';
  }

  void write(const FamilyReading& family) {
    if (family.series.empty()) return;
    if (family.type == MetricType::histogram) return write_histograms(family);
    const bool counter = family.type == MetricType::counter;
    std::string_view wanted = family.name;
    // OpenMetrics names the family without the suffix that its samples have.
    if (counter && wanted.ends_with("_total")) wanted.remove_suffix(6);
    const std::string base = take(wanted);
    const std::string sample = counter ? base + "_total" : base;
    head(openmetrics_ ? base : sample, counter ? "counter" : "gauge", family.help, family.unit);
    for (const SeriesReading& series : family.series) {
      out_ += sample;
      labels(family, series);
      out_ += ' ';
      append_integer(out_, series.value);
      out_ += '\n';
    }
  }

  void write_histograms(const FamilyReading& family) {
    const std::string name = take(family.name);
    head(name, "histogram", family.help, family.unit);
    for (const SeriesReading& series : family.series) {
      buckets(name, family, series);
      out_.append(name).append("_sum");
      labels(family, series);
      out_ += ' ';
      append_value(out_, family.unit, series.sum);
      out_.append("\n").append(name).append("_count");
      labels(family, series);
      out_ += ' ';
      append_integer(out_, series.count);
      out_ += '\n';
    }
  }

  void buckets(const std::string& name, const FamilyReading& family, const SeriesReading& series) {
    std::uint64_t below = 0;
    for (std::size_t i = 0; i < series.buckets.size(); ++i) {
      std::string bound = "+Inf";
      if (i < family.bounds.size()) {
        bound.clear();
        append_bound(bound, family.unit, family.bounds[i]);
      }
      below += series.buckets[i];
      out_.append(name).append("_bucket");
      labels(family, series, "le", bound);
      out_ += ' ';
      append_integer(out_, below);
      if (openmetrics_) exemplar(family, series.exemplars[i]);
      out_ += '\n';
    }
  }

  void exemplar(const FamilyReading& family, const ExemplarReading& latest) {
    const Exemplar& exemplar = latest.exemplar;
    if (exemplar.trace_id == decltype(exemplar.trace_id){}) return;
    out_ += " # {trace_id=\"";
    append_hex(out_, exemplar.trace_id);
    out_ += "\",span_id=\"";
    append_hex(out_, exemplar.span_id);
    out_ += "\"} ";
    append_value(out_, family.unit, latest.value);
    if (exemplar.at == MonotonicTime{}) return;
    const auto since_1970 = snapshot_.wall.time_since_epoch() - (snapshot_.monotonic - exemplar.at);
    if (since_1970.count() < 0) return;
    out_ += ' ';
    append_seconds(out_, static_cast<std::uint64_t>(since_1970.count()));
  }

  void write(const HistogramReading& histogram) {
    const bool seconds = histogram.unit == MetricUnit::nanoseconds;
    const std::string name = take(histogram.name + (seconds ? "_seconds" : ""));
    head(name, "summary", {}, histogram.unit);
    for (const auto& [quantile, text] : kQuantiles) {
      out_.append(name).append("{quantile=\"").append(text).append("\"} ");
      append_value(out_, histogram.unit, histogram.quantile(quantile));
      out_ += '\n';
    }
    out_.append(name).append("_sum ");
    append_value(out_, histogram.unit, histogram.sum);
    out_.append("\n").append(name).append("_count ");
    append_integer(out_, histogram.count);
    out_ += '\n';
  }

  void write(const CounterReading& counter) {
    const std::string name = take(counter.name);
    head(name, openmetrics_ ? "unknown" : "untyped", {}, MetricUnit::none);
    out_.append(name) += ' ';
    append_integer(out_, counter.value);
    out_ += '\n';
  }

  static constexpr std::string_view kSuffixes[] = {"",     "_total", "_bucket",
                                                   "_sum", "_count", "_created"};
  const MetricsSnapshot& snapshot_;
  const bool openmetrics_;
  std::string out_;
  std::set<std::string> taken_;
};

// "q=0", "q=0.0", "q=0.000"
bool has_zero_weight(std::string_view parameter) noexcept {
  if (parameter.size() < 3 || !equal_without_case(parameter.substr(0, 2), "q=")) return false;
  return parameter.find_first_not_of("0.", 2) == std::string_view::npos;
}

// One range of an Accept field.
bool wants_openmetrics(std::string_view range) noexcept {
  bool first = true;
  bool wants = false;
  while (!range.empty()) {
    const std::size_t end = std::min(range.find(';'), range.size());
    const std::string_view part = trimmed(range.substr(0, end));
    if (first) {
      wants = equal_without_case(part, "application/openmetrics-text");
    } else if (has_zero_weight(part)) {
      wants = false;
    }
    first = false;
    range.remove_prefix(std::min(end + 1, range.size()));
  }
  return wants;
}

}  // namespace

MetricsFormat metrics_format(std::string_view accept) noexcept {
  while (!accept.empty()) {
    const std::size_t end = std::min(accept.find(','), accept.size());
    if (wants_openmetrics(accept.substr(0, end))) return MetricsFormat::openmetrics;
    accept.remove_prefix(std::min(end + 1, accept.size()));
  }
  return MetricsFormat::prometheus;
}

std::string_view content_type(MetricsFormat format) noexcept {
  return format == MetricsFormat::openmetrics
             ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
             : "text/plain; version=0.0.4; charset=utf-8";
}

std::string metrics_text(const MetricsSnapshot& snapshot, MetricsFormat format) {
  return Writer(snapshot, format).write();
}

}  // namespace spanwire
