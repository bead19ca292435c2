// vLLM's log lines, letter by letter: people look for them.
#pragma once

#include <initializer_list>
#include <string_view>

#include "spanwire/base/log.hpp"
#include "spanwire/journey/vllm.hpp"
#include "spanwire/trace/span_context.hpp"

namespace spanwire::journey::vllm_log {

// Of the process.
void initializing(VllmScope scope, std::string_view endpoint);
void provider_initializing(std::string_view endpoint);
void provider_initialized();
void tracer_created(VllmScope scope);
void initialized(VllmScope scope);

// Once in the life of the process: that a caller's context meets no provider.
void tracing_is_off(const trace::Context& incoming) noexcept;

// Of one request; nothing is built where the level or the options leave it out.
void creating(VllmSpan span, std::string_view id, const trace::Context& parent) noexcept;
void created(VllmSpan span, std::string_view id, const trace::Context& parent,
             const trace::SpanContext& made) noexcept;

void set_request_lines(RequestLines lines) noexcept;

}  // namespace spanwire::journey::vllm_log
