#include "spanwire/trace/sampler.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <utility>

#include "lib/base/ascii.hpp"

namespace spanwire::trace {
namespace {

constexpr int kRandomBits = 56;
constexpr std::uint64_t kRandomValues = std::uint64_t{1} << kRandomBits;
constexpr int kHexDigits = kRandomBits / 4;
constexpr int kDigitsKept = 4;

class Constant final : public Sampler {
 public:
  Constant(Decision decision, const char* text) noexcept : decision_(decision), text_(text) {}
  SamplingResult sample(const SamplingInput&) const noexcept override { return {decision_}; }
  std::optional<PlainRule> plain_rule() const override {
    return PlainRule{decision_ == Decision::record_and_sample ? 0 : kRandomValues, false};
  }
  bool drops_unsampled_children() const noexcept override { return decision_ == Decision::drop; }
  std::string describe() const override { return text_; }

 private:
  Decision decision_;
  const char* text_;
};

class Ratio final : public Sampler {
 public:
  explicit Ratio(double ratio) noexcept : ratio_(ratio), threshold_(ratio_threshold(ratio)) {}
  SamplingResult sample(const SamplingInput& input) const noexcept override {
    const std::uint64_t randomness = input.trace_id.low_64() & (kRandomValues - 1);
    return {randomness >= threshold_ ? Decision::record_and_sample : Decision::drop};
  }
  std::optional<PlainRule> plain_rule() const override { return PlainRule{threshold_, false}; }
  std::string describe() const override {
    char text[64];
    std::snprintf(text, sizeof text, "TraceIdRatioBased{%.6f}", ratio_);
    return text;
  }

 private:
  double ratio_;
  std::uint64_t threshold_;
};

class ParentBased final : public Sampler {
 public:
  explicit ParentBased(ParentBasedSlots slots) noexcept : slots_(std::move(slots)) {}
  SamplingResult sample(const SamplingInput& input) const noexcept override {
    return slot(input.parent.span()).sample(input);
  }
  std::optional<PlainRule> plain_rule() const override {
    const std::optional<PlainRule> root = slots_.root->plain_rule();
    if (!root || root->follows_parent) return std::nullopt;
    const bool follows = is_constant(*slots_.remote_sampled, 0) &&
                         is_constant(*slots_.local_sampled, 0) &&
                         is_constant(*slots_.remote_not_sampled, kRandomValues) &&
                         is_constant(*slots_.local_not_sampled, kRandomValues);
    if (!follows) return std::nullopt;
    return PlainRule{root->threshold, true};
  }
  bool drops_unsampled_children() const noexcept override {
    return slots_.remote_not_sampled->drops_unsampled_children() &&
           slots_.local_not_sampled->drops_unsampled_children();
  }
  std::string describe() const override {
    return "ParentBased{root:" + slots_.root->describe() +
           ",remoteParentSampled:" + slots_.remote_sampled->describe() +
           ",remoteParentNotSampled:" + slots_.remote_not_sampled->describe() +
           ",localParentSampled:" + slots_.local_sampled->describe() +
           ",localParentNotSampled:" + slots_.local_not_sampled->describe() + "}";
  }

 private:
  static bool is_constant(const Sampler& sampler, std::uint64_t threshold) {
    const std::optional<PlainRule> rule = sampler.plain_rule();
    return rule && !rule->follows_parent && rule->threshold == threshold;
  }
  const Sampler& slot(const SpanContext& parent) const noexcept {
    if (!parent.valid()) return *slots_.root;
    if (parent.remote()) {
      return parent.sampled() ? *slots_.remote_sampled : *slots_.remote_not_sampled;
    }
    return parent.sampled() ? *slots_.local_sampled : *slots_.local_not_sampled;
  }

  ParentBasedSlots slots_;
};

Result<double> parse_ratio(std::string_view text) {
  if (text.empty()) return 1.0;
  double ratio = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), ratio);
  if (error != std::errc() || end != text.data() + text.size() || !(ratio >= 0 && ratio <= 1)) {
    return fail(Errc::invalid_argument, "sampling ratio '" + std::string(text) + "'");
  }
  return ratio;
}

}  // namespace

SamplerPtr always_on() {
  return std::make_shared<Constant>(Decision::record_and_sample, "AlwaysOnSampler");
}

SamplerPtr always_off() { return std::make_shared<Constant>(Decision::drop, "AlwaysOffSampler"); }

std::uint64_t ratio_threshold(double ratio) noexcept {
  if (!(ratio < 1)) return 0;
  if (ratio <= 0) return kRandomValues;
  const auto sampled =
      static_cast<std::uint64_t>(std::round(ratio * static_cast<double>(kRandomValues)));
  // Four hex digits, not counting leading digits f (small ratios) or 0 (ratios near 1): what other
  // processes can read back from a short text must be the number that we compare with.
  int ratio_exponent = 0;
  int rest_exponent = 0;
  static_cast<void>(std::frexp(ratio, &ratio_exponent));
  static_cast<void>(std::frexp(1 - ratio, &rest_exponent));
  const int digits =
      std::min(kHexDigits, kDigitsKept + std::max(-ratio_exponent, -rest_exponent) / 4);
  const std::uint64_t threshold = kRandomValues - sampled;
  const int shift = 4 * (kHexDigits - digits);
  if (shift == 0) return threshold;
  return (threshold + (std::uint64_t{1} << (shift - 1))) >> shift << shift;
}

SamplerPtr trace_id_ratio(double ratio) { return std::make_shared<Ratio>(ratio); }

SamplerPtr parent_based(ParentBasedSlots slots) {
  if (!slots.root) slots.root = always_on();
  if (!slots.remote_sampled) slots.remote_sampled = always_on();
  if (!slots.remote_not_sampled) slots.remote_not_sampled = always_off();
  if (!slots.local_sampled) slots.local_sampled = always_on();
  if (!slots.local_not_sampled) slots.local_not_sampled = always_off();
  return std::make_shared<ParentBased>(std::move(slots));
}

SamplerPtr parent_based(SamplerPtr root) {
  ParentBasedSlots slots;
  slots.root = std::move(root);
  return parent_based(std::move(slots));
}

Result<SamplerPtr> make_sampler(std::string_view name, std::string_view argument) {
  constexpr std::string_view kParentBased = "parentbased_";
  const std::string lower = lower_case(name);
  std::string_view rest = lower;
  const bool follows_parent = rest.starts_with(kParentBased);
  if (follows_parent) rest.remove_prefix(kParentBased.size());
  SamplerPtr sampler;
  if (rest == "always_on") {
    sampler = always_on();
  } else if (rest == "always_off") {
    sampler = always_off();
  } else if (rest == "traceidratio") {
    SPANWIRE_TRY(const double ratio, parse_ratio(argument));
    sampler = trace_id_ratio(ratio);
  } else {
    return fail(Errc::not_found, "sampler '" + std::string(name) + "'");
  }
  return follows_parent ? parent_based(std::move(sampler)) : std::move(sampler);
}

}  // namespace spanwire::trace
