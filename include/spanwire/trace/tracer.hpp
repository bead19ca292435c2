// Tracer: starts the spans of one instrumentation scope.
#pragma once

#include <atomic>
#include <span>
#include <string_view>

#include "spanwire/base/clock.hpp"
#include "spanwire/trace/attribute.hpp"
#include "spanwire/trace/context.hpp"
#include "spanwire/trace/span.hpp"
#include "spanwire/trace/span_record.hpp"

namespace spanwire::trace {

namespace detail {
class Core;
// Of the active provider; null when nothing is traced.
extern std::atomic<Core*> active_core;
}  // namespace detail

// All borrowed until start() returns.
struct SpanOptions {
  SpanKind kind = SpanKind::internal;
  // Zero: now.  A caller that knows the time already saves reading the clock.
  MonotonicTime start{};
  std::span<const Attribute> attributes{};
  std::span<const Link> links{};
};

// A value of one pointer.  Safe from any thread.  May be made before a provider is, and outlives
// it.
class Tracer {
 public:
  explicit Tracer(const Scope& scope) noexcept : scope_(&scope) {}

  // Starts a span under `parent`'s span, or a new trace if that has none.  The caller passes it on
  // with parent.with_span(span.context()).
  // `at` zero: now.
  Span start(const Context& parent, Key name, SpanKind kind = SpanKind::internal,
             MonotonicTime at = {}) const noexcept {
    detail::Core* core = detail::active_core.load(std::memory_order_acquire);
    if (core == nullptr) return Span(parent.span());
    return start_plain(*core, parent, name, kind, at);
  }
  Span start(const Context& parent, Key name, const SpanOptions& options) const noexcept {
    detail::Core* core = detail::active_core.load(std::memory_order_acquire);
    if (core == nullptr) return Span(parent.span());
    return start_in(*core, parent, name, options);
  }

  // Whether starting a span under `parent` asks a sampler that may look at attributes.  If not,
  // nothing is missed by setting them after the start, and only on a span that is recorded.
  bool asks_sampler(const Context& parent) const noexcept {
    const detail::Core* core = detail::active_core.load(std::memory_order_acquire);
    return core != nullptr && asks_sampler_of(*core, parent);
  }

  const Scope& scope() const noexcept { return *scope_; }

 private:
  static bool asks_sampler_of(const detail::Core& core, const Context& parent) noexcept;
  Span start_plain(detail::Core& core, const Context& parent, Key name, SpanKind kind,
                   MonotonicTime at) const noexcept;
  Span start_asking(detail::Core& core, const Context& parent, Key name, SpanKind kind,
                    MonotonicTime at) const noexcept;
  Span start_in(detail::Core& core, const Context& parent, Key name,
                const SpanOptions& options) const noexcept;

  const Scope* scope_;
};

// The tracer of a scope: the library that is instrumented, not the thing that is done.  Takes a
// lock: call it once and keep the tracer.  Equal arguments give equal tracers; beyond 4,096
// different scopes, all further ones share one named "overflow".
Tracer tracer(std::string_view name, std::string_view version = {},
              std::string_view schema_url = {});

}  // namespace spanwire::trace
