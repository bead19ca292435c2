#include "spanwire/trace/filter.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

#include "lib/trace/rate_limit.hpp"
#include "spanwire/base/counters.hpp"

namespace spanwire::trace {
namespace {

constinit NamedCounter dropped_as_noise("spanwire.trace.spans_filtered");

constexpr std::array<std::string_view, 4> kPathKeys = {"url.path", "http.target", "http.route",
                                                       "rpc.method"};

bool matches(const FilterRule& rule, std::string_view text) noexcept {
  return rule.prefix ? text.starts_with(rule.value) : text == rule.value;
}

// The text of an attribute; empty for one of another type.
std::string_view text_of(const Attribute& attribute) noexcept {
  return attribute.value.type() == ValueType::string ? attribute.value.text() : std::string_view();
}

// A target has its query behind the path, and some name spans after it.
bool matches_path(const FilterRule& rule, std::string_view text) noexcept {
  return matches(rule, text) || matches(rule, text.substr(0, text.find('?')));
}

bool path_matches(const FilterRule& rule, const SamplingInput& input) noexcept {
  if (matches_path(rule, input.name)) return true;
  const std::size_t blank = input.name.find(' ');
  if (blank != std::string_view::npos && matches_path(rule, input.name.substr(blank + 1))) {
    return true;
  }
  return std::any_of(input.attributes.begin(), input.attributes.end(), [&](const Attribute& one) {
    return std::find(kPathKeys.begin(), kPathKeys.end(), one.key.view()) != kPathKeys.end() &&
           matches_path(rule, text_of(one));
  });
}

bool attribute_matches(const FilterRule& rule, const SamplingInput& input) noexcept {
  return std::any_of(input.attributes.begin(), input.attributes.end(), [&](const Attribute& one) {
    return one.key.view() == rule.key && one.value.type() == ValueType::string &&
           matches(rule, text_of(one));
  });
}

bool matches(const FilterRule& rule, const SamplingInput& input) noexcept {
  switch (rule.subject) {
    case FilterRule::Subject::name:
      return matches(rule, input.name);
    case FilterRule::Subject::path:
      return path_matches(rule, input);
    case FilterRule::Subject::attribute:
      return attribute_matches(rule, input);
  }
  return false;
}

class Filter final : public Sampler {
 public:
  Filter(std::vector<FilterRule> rules, SamplerPtr inner)
      : rules_(std::move(rules)),
        inner_(inner ? std::move(inner) : parent_based(always_on())),
        inner_may_count_(!inner_->plain_rule().has_value()) {}
  SamplingResult sample(const SamplingInput& input) const noexcept override {
    // A sampler that counts, such as one by rate, must not count noise.  Of any other it is cheaper
    // to hear first that there is nothing to look at.
    if (inner_may_count_ && is_noise(input)) return drop_as_noise();
    const SamplingResult result = inner_->sample(input);
    const bool dropped = result.decision == Decision::drop;
    if (inner_may_count_ || (dropped && !input.watched) || !is_noise(input)) return result;
    return dropped ? noise() : drop_as_noise();
  }
  bool drops_unsampled_children() const noexcept override {
    return inner_->drops_unsampled_children();
  }
  std::string describe() const override {
    return "Filtered{" + std::to_string(rules_.size()) + " rules," + inner_->describe() + "}";
  }

 private:
  bool is_noise(const SamplingInput& input) const noexcept {
    return std::any_of(rules_.begin(), rules_.end(),
                       [&](const FilterRule& rule) { return matches(rule, input); });
  }
  static SamplingResult noise() noexcept {
    SamplingResult result;
    result.noise = true;
    return result;
  }
  static SamplingResult drop_as_noise() noexcept {
    dropped_as_noise.add();
    return noise();
  }

  const std::vector<FilterRule> rules_;
  const SamplerPtr inner_;
  const bool inner_may_count_;
};

class RateLimited final : public Sampler {
 public:
  RateLimited(double per_second, const Clock& clock)
      : per_second_(per_second), limit_(per_second, clock) {}
  SamplingResult sample(const SamplingInput&) const noexcept override {
    return {limit_.take() ? Decision::record_and_sample : Decision::drop};
  }
  std::string describe() const override {
    char text[64];
    std::snprintf(text, sizeof text, "RateLimitingSampler{%.6f}", per_second_);
    return text;
  }

 private:
  const double per_second_;
  mutable detail::RateLimit limit_;
};

class ByPath final : public Sampler {
 public:
  ByPath(std::vector<PathSampler> entries, SamplerPtr otherwise)
      : entries_(std::move(entries)), otherwise_(std::move(otherwise)) {}
  SamplingResult sample(const SamplingInput& input) const noexcept override {
    for (const PathSampler& entry : entries_) {
      if (input.name.starts_with(entry.prefix)) return entry.sampler->sample(input);
    }
    return otherwise_->sample(input);
  }
  std::string describe() const override {
    std::string text = "ByPath{";
    for (const PathSampler& entry : entries_) {
      text += entry.prefix + ":" + entry.sampler->describe() + ",";
    }
    return text + "otherwise:" + otherwise_->describe() + "}";
  }

 private:
  const std::vector<PathSampler> entries_;
  const SamplerPtr otherwise_;
};

}  // namespace

std::vector<FilterRule> default_noise() {
  std::vector<FilterRule> rules;
  for (const char* path : {"/metrics", "/health", "/healthz", "/livez", "/readyz", "/live",
                           "/ready", "/ping", "/health_generate", "spanwire/health"}) {
    rules.push_back({FilterRule::Subject::path, false, {}, path});
  }
  rules.push_back({FilterRule::Subject::path, true, {}, "grpc.health.v1.Health/"});
  return rules;
}

Result<FilterRule> parse_filter_rule(std::string_view text) {
  constexpr std::string_view kAttribute = "attribute.";
  const std::size_t equals = text.find('=');
  const auto bad = [&] {
    return fail(Errc::invalid_argument, "filter rule '" + std::string(text) + "'");
  };
  if (equals == std::string_view::npos || equals + 1 == text.size()) return bad();
  FilterRule rule;
  rule.prefix = equals > 0 && text[equals - 1] == '^';
  std::string_view subject = text.substr(0, equals - (rule.prefix ? 1 : 0));
  rule.value = text.substr(equals + 1);
  if (subject == "name") {
    rule.subject = FilterRule::Subject::name;
  } else if (subject == "path") {
    rule.subject = FilterRule::Subject::path;
  } else if (subject.starts_with(kAttribute) && subject.size() > kAttribute.size()) {
    rule.subject = FilterRule::Subject::attribute;
    rule.key = subject.substr(kAttribute.size());
  } else {
    return bad();
  }
  return rule;
}

SamplerPtr filtered(std::vector<FilterRule> rules, SamplerPtr inner) {
  return std::make_shared<Filter>(std::move(rules), std::move(inner));
}

std::uint64_t spans_filtered() noexcept {
  return static_cast<std::uint64_t>(dropped_as_noise.value());
}

SamplerPtr rate_limited(double per_second, const Clock& clock) {
  return std::make_shared<RateLimited>(per_second, clock);
}

SamplerPtr by_path(std::vector<PathSampler> entries, SamplerPtr otherwise) {
  return std::make_shared<ByPath>(std::move(entries), std::move(otherwise));
}

}  // namespace spanwire::trace
