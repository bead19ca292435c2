// Samplers: decide, when a span starts, whether it is recorded and whether its trace is sampled.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "spanwire/base/result.hpp"
#include "spanwire/trace/attribute.hpp"
#include "spanwire/trace/context.hpp"
#include "spanwire/trace/span_record.hpp"

namespace spanwire::trace {

enum class Decision : std::uint8_t {
  drop,               // not recorded, sampled bit off
  record_only,        // as drop: there are no processors that would see it
  record_and_sample,  // recorded, exported, sampled bit on
};

// All borrowed for the call.
struct SamplingInput {
  const Context& parent;    // its span is not valid for a root
  const TraceId& trace_id;  // of the span to be, the parent's if there is one
  std::string_view name;
  SpanKind kind = SpanKind::internal;
  std::span<const Attribute> attributes{};
  std::span<const Link> links{};
  // What is dropped may be kept for how it ends (ProviderOptions::keep_errors).
  bool watched = false;
};

struct SamplingResult {
  Decision decision = Decision::drop;
  // The span's tracestate is `tracestate` (empty clears it) instead of its parent's.
  bool replaces_tracestate = false;
  // Borrowed from the sampler, unchanged until its next decision on the same thread.
  std::string_view tracestate{};
  // Added to the span's own; the same rule.
  std::span<const Attribute> attributes{};
  // Dropped whatever comes of it: not even watched.
  bool noise = false;
};

// The rule of a sampler that looks at nothing but the parent and the trace id.
struct PlainRule {
  // Sampled if the low 56 bits of the trace id are at least this.
  std::uint64_t threshold = 0;
  // Where there is a parent, its decision counts instead.
  bool follows_parent = false;

  bool wants(const SpanContext& parent, const TraceId& trace_id) const noexcept {
    if (follows_parent && parent.valid()) return parent.sampled();
    return (trace_id.low_64() & ((std::uint64_t{1} << 56) - 1)) >= threshold;
  }
};

// Safe from any thread.
class Sampler {
 public:
  virtual ~Sampler() = default;
  // For every span: must not block.
  virtual SamplingResult sample(const SamplingInput& input) const noexcept = 0;
  // Its rule, if it has one and adds nothing to spans: then it need not be asked for each of them.
  // Called once.
  virtual std::optional<PlainRule> plain_rule() const { return std::nullopt; }
  // True if it drops every span whose parent is not sampled: then it need not be asked.
  virtual bool drops_unsampled_children() const noexcept { return false; }
  // As OpenTelemetry writes it: "AlwaysOnSampler", "TraceIdRatioBased{0.100000}".
  virtual std::string describe() const = 0;
};

using SamplerPtr = std::shared_ptr<const Sampler>;

SamplerPtr always_on();
SamplerPtr always_off();

// Samples about `ratio` of all traces, by the last 7 bytes of the trace id alone: every process
// with this rule decides alike, and what a smaller ratio samples a larger one samples too.  At most
// 0: never; at least 1, or not a number: always.  It does not look at the parent: put it under
// parent_based().
SamplerPtr trace_id_ratio(double ratio);
// A trace is sampled if the low 56 bits of its id are at least this; 2^56 for never.
std::uint64_t ratio_threshold(double ratio) noexcept;

// Follows the parent's decision; `root` decides where there is none.  Null slots are always_on for
// sampled parents and for roots, always_off for others.
struct ParentBasedSlots {
  SamplerPtr root;
  SamplerPtr remote_sampled;
  SamplerPtr remote_not_sampled;
  SamplerPtr local_sampled;
  SamplerPtr local_not_sampled;
};
SamplerPtr parent_based(ParentBasedSlots slots);
SamplerPtr parent_based(SamplerPtr root);

// By the names of OTEL_TRACES_SAMPLER, in any case: always_on, always_off, traceidratio and each
// with parentbased_ before it.  `argument` is the ratio, empty for 1.  Fails with not_found for
// another name, invalid_argument for a ratio that is no number in [0, 1].
Result<SamplerPtr> make_sampler(std::string_view name, std::string_view argument = {});

}  // namespace spanwire::trace
