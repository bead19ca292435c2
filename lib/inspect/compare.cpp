#include "spanwire/inspect/compare.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>

#include "spanwire/inspect/text.hpp"

namespace spanwire::inspect {
namespace {

using Json = nlohmann::ordered_json;
using Key = std::pair<std::string, std::string>;

constexpr std::size_t kServiceColumns = 18;
constexpr std::size_t kNameColumns = 32;

struct Durations {
  std::vector<std::int64_t> nanoseconds;
  std::size_t errors = 0;
};

std::map<Key, Durations> durations_of(const TraceSet& traces,
                                      const std::vector<const Tree*>& trees) {
  std::map<Key, Durations> all;
  for (const Tree* tree : trees) {
    for (const Node& node : tree->nodes) {
      const Span& span = traces.spans[node.span];
      Durations& item = all[{traces.processes[span.process].service, span.name}];
      item.nanoseconds.push_back(span.end_ns - span.start_ns);
      if (span.status == SpanStatus::error) ++item.errors;
    }
  }
  return all;
}

// The smallest that so many in a hundred do not exceed.
std::int64_t quantile(const std::vector<std::int64_t>& sorted, std::size_t percent) {
  return sorted[(sorted.size() * percent + 99) / 100 - 1];
}

NameTimes times_of(Durations& durations) {
  NameTimes times;
  std::sort(durations.nanoseconds.begin(), durations.nanoseconds.end());
  times.spans = durations.nanoseconds.size();
  times.errors = durations.errors;
  times.median_ns = quantile(durations.nanoseconds, 50);
  times.p90_ns = quantile(durations.nanoseconds, 90);
  for (const std::int64_t duration : durations.nanoseconds) times.total_ns += duration;
  return times;
}

int group_of(const ComparedName& name) {
  if (name.b.spans == 0) return 1;
  return name.a.spans == 0 ? 2 : 0;
}

bool comes_first(const ComparedName& left, const ComparedName& right) {
  if (group_of(left) != group_of(right)) return group_of(left) < group_of(right);
  const std::int64_t left_change = std::llabs(left.b.total_ns - left.a.total_ns);
  const std::int64_t right_change = std::llabs(right.b.total_ns - right.a.total_ns);
  if (left_change != right_change) return left_change > right_change;
  return Key(left.service, left.name) < Key(right.service, right.name);
}

std::string right_of(const std::string& text, std::size_t columns) {
  const std::size_t taken = columns_of(text);
  return (taken < columns ? std::string(columns - taken, ' ') : std::string()) + text;
}

std::string side(const NameTimes& times) {
  if (times.spans == 0) return right_of("-", 8) + right_of("", 11);
  return right_of(std::to_string(times.spans), 8) + right_of(duration_text(times.median_ns), 11);
}

std::string ratio_text(const ComparedName& name) {
  if (name.b.spans == 0) return "missing";
  if (name.a.spans == 0) return "new";
  const std::optional<double> ratio = name.ratio();
  if (!ratio) return "-";
  std::array<char, 32> text;
  std::snprintf(text.data(), text.size(), "%.2f x", *ratio);
  return text.data();
}

Json json_of(const NameTimes& times) {
  return {{"spans", times.spans},
          {"errors", times.errors},
          {"median_ns", times.median_ns},
          {"p90_ns", times.p90_ns},
          {"total_ns", times.total_ns}};
}

}  // namespace

std::optional<double> ComparedName::ratio() const noexcept {
  if (a.spans == 0 || b.spans == 0 || a.median_ns == 0) return std::nullopt;
  return static_cast<double>(b.median_ns) / static_cast<double>(a.median_ns);
}

Comparison compare(const TraceSet& a, const std::vector<const Tree*>& trees_a, const TraceSet& b,
                   const std::vector<const Tree*>& trees_b) {
  Comparison comparison;
  comparison.traces_a = trees_a.size();
  comparison.traces_b = trees_b.size();
  std::map<Key, ComparedName> names;
  for (auto& [key, durations] : durations_of(a, trees_a)) names[key].a = times_of(durations);
  for (auto& [key, durations] : durations_of(b, trees_b)) names[key].b = times_of(durations);
  for (auto& [key, name] : names) {
    name.service = key.first;
    name.name = key.second;
    comparison.names.push_back(std::move(name));
  }
  std::sort(comparison.names.begin(), comparison.names.end(), comes_first);
  return comparison;
}

std::string comparison_text(const Comparison& comparison) {
  std::string text = "A: " + counted(comparison.traces_a, "trace") +
                     ", B: " + counted(comparison.traces_b, "trace") + "\n\n";
  text += fit("service", kServiceColumns) + fit("span", kNameColumns) + right_of("spans A", 8) +
          right_of("median A", 11) + right_of("spans B", 8) + right_of("median B", 11) +
          right_of("B / A", 10) + '\n';
  for (const ComparedName& name : comparison.names) {
    text += fit(printable(name.service), kServiceColumns - 1) + ' ' +
            fit(printable(name.name), kNameColumns) + side(name.a) + side(name.b) +
            right_of(ratio_text(name), 10) + '\n';
  }
  return text;
}

std::string comparison_json(const Comparison& comparison) {
  Json names = Json::array();
  for (const ComparedName& name : comparison.names) {
    Json item = {{"service", name.service},
                 {"name", name.name},
                 {"a", json_of(name.a)},
                 {"b", json_of(name.b)}};
    if (const auto ratio = name.ratio()) item["ratio"] = *ratio;
    names.push_back(std::move(item));
  }
  const Json json = {{"traces_a", comparison.traces_a},
                     {"traces_b", comparison.traces_b},
                     {"names", std::move(names)}};
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + '\n';
}

}  // namespace spanwire::inspect
