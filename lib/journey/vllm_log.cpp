#include "lib/journey/vllm_log.hpp"

#include <atomic>
#include <cstdint>
#include <string>

#include "spanwire/base/fork.hpp"
#include "spanwire/trace/provider.hpp"
#include "spanwire/trace/traceparent.hpp"

namespace spanwire::journey {
namespace vllm_log {
namespace {

constexpr std::string_view kTracerType = "spanwire::trace::Tracer";
constexpr std::string_view kProviderType = "spanwire::trace::Provider";
constexpr std::size_t kTraceparentShown = 20;

constinit std::atomic<RequestLines> request_lines{RequestLines::limited};

using Parts = std::initializer_list<std::string_view>;

std::string joined(Parts parts) {
  std::string text;
  for (const std::string_view part : parts) text += part;
  return text;
}

bool wanted(LogLevel level) noexcept {
  return log_enabled(level) && request_lines.load(std::memory_order_relaxed) != RequestLines::off;
}

// A line about a request carries its trace id.
void line(LogLevel level, LogText place, const trace::SpanContext& span, Parts parts) {
  const bool limited = request_lines.load(std::memory_order_relaxed) != RequestLines::every;
  const std::string text = joined(parts);
  if (!span.valid()) return log_made(level, place, text, {}, limited);
  const auto trace_id = span.trace_id().hex();
  log_made(level, place, text, {trace_field(trace_id)}, limited);
}

std::string_view truth(bool value) noexcept { return value ? "True" : "False"; }

std::string_view first_of(const trace::FixedText<trace::kTraceparentBytes>& text) noexcept {
  return text.view().substr(0, kTraceparentShown);
}

}  // namespace

void set_request_lines(RequestLines lines) noexcept {
  request_lines.store(lines, std::memory_order_relaxed);
}

void initializing(VllmScope scope, std::string_view endpoint) {
  log_made(LogLevel::info, "Initializing a tracer",
           joined({"Initializing ", name(scope), " tracer with endpoint: ", endpoint}));
}

void provider_initializing(std::string_view endpoint) {
  log_made(LogLevel::info, "Initializing global TracerProvider",
           joined({"Initializing global TracerProvider with endpoint: ", endpoint}));
}

void provider_initialized() { log_info("Global TracerProvider initialized successfully"); }

void tracer_created(VllmScope scope) {
  log_made(LogLevel::info, "Created a tracer from global provider",
           joined({"Created tracer for scope '", name(scope), "' from global provider"}));
}

void initialized(VllmScope scope) {
  log_made(LogLevel::info, "Successfully initialized a tracer",
           joined({"Successfully initialized ", name(scope), " tracer: ", kTracerType}));
}

void tracing_is_off(const trace::Context& incoming) noexcept {
  constexpr std::uint32_t kNever = ~0u;
  static constinit std::atomic<std::uint32_t> said_by{kNever};
  if (!incoming.span().valid()) return;
  if (said_by.exchange(fork_generation(), std::memory_order_relaxed) == fork_generation()) return;
  log_warn("a request carries a trace context, and tracing is off: it is passed on",
           {trace_field(incoming.span().trace_id().hex())});
}

void creating(VllmSpan span, std::string_view id, const trace::Context& parent) noexcept {
  if (!wanted(LogLevel::debug)) return;
  const trace::SpanContext& above = parent.span();
  const std::string_view has_headers = truth(above.valid());
  if (span == VllmSpan::request) {
    line(LogLevel::debug, "Creating an API span", above,
         {"Creating API span for request ", id, " (has_trace_headers=", has_headers, ")"});
    const bool has_provider = trace::provider() != nullptr;
    line(LogLevel::debug, "Got a tracer provider", above,
         {"Got tracer provider for request ", id, ": ", has_provider ? kProviderType : "none"});
    line(LogLevel::debug, "Got a tracer", above,
         {"Got vllm.api tracer for request ", id, ": ", kTracerType});
    return;
  }
  line(LogLevel::debug, "Creating a core span", above,
       {"Creating core span for request ", id, " (has_trace_headers=", has_headers, ")"});
  if (above.valid()) {
    line(LogLevel::debug, "Extracting a trace context", above,
         {"Extracting trace context from headers: traceparent=",
          first_of(trace::traceparent_text(above)), "..."});
  }
  line(LogLevel::debug, "Extracted a parent context", above,
       {"Extracted parent context for request ", id, ": ", has_headers});
}

void created(VllmSpan span, std::string_view id, const trace::Context& parent,
             const trace::SpanContext& made) noexcept {
  if (!wanted(LogLevel::info)) return;
  if (span == VllmSpan::request) {
    line(LogLevel::info, "Created an API span", made,
         {"Created API span 'llm_request' for request ", id, " (scope=vllm.api)"});
    if (!wanted(LogLevel::debug)) return;
    line(LogLevel::debug, "Set request_id on an API span", made,
         {"Set request_id attribute on API span for ", id});
    line(LogLevel::debug, "Emitted api.ARRIVED", made,
         {"Emitted api.ARRIVED event for request ", id});
    return;
  }
  line(LogLevel::info, "Created a core span", made,
       {"Created core span 'llm_core' for request ", id,
        " (scope=vllm.scheduler, parent_context=", truth(parent.span().valid()), ")"});
  if (!wanted(LogLevel::debug)) return;
  line(LogLevel::debug, "Set request_id on a core span", made,
       {"Set request_id attribute on core span for ", id});
}

}  // namespace vllm_log

void detail::log_injected(const trace::SpanContext& span) noexcept {
  if (!vllm_log::wanted(LogLevel::debug) || !span.valid()) return;
  vllm_log::line(LogLevel::debug, "Injected a trace context", span,
                 {"Injected trace context into carrier: traceparent=",
                  vllm_log::first_of(trace::traceparent_text(span)), "..."});
}

}  // namespace spanwire::journey
