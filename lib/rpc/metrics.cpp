#include "lib/rpc/metrics.hpp"

#include "spanwire/base/counters.hpp"

namespace spanwire::rpc {
namespace {

constinit NamedCounter client_retries("spanwire.rpc.client.retries");
constinit NamedCounter client_retries_refused("spanwire.rpc.client.retries_refused");
constinit NamedCounter server_overloads("spanwire.rpc.server.overloads");
constinit NamedCounter server_skipped("spanwire.rpc.server.skipped_handlers");
constinit NamedCounter server_unknown_paths("spanwire.rpc.server.unknown_paths");
constinit NamedCounter bad_timeouts("spanwire.rpc.server.bad_timeouts");
constinit NamedCounter bad_header_blocks("spanwire.rpc.server.bad_header_blocks");

constexpr std::uint64_t kMillisecond = 1'000'000;
constexpr std::uint64_t kBounds[] = {5 * kMillisecond,    10 * kMillisecond,   25 * kMillisecond,
                                     50 * kMillisecond,   75 * kMillisecond,   100 * kMillisecond,
                                     250 * kMillisecond,  500 * kMillisecond,  750 * kMillisecond,
                                     1000 * kMillisecond, 2500 * kMillisecond, 5000 * kMillisecond,
                                     7500 * kMillisecond, 10000 * kMillisecond};
// In the order of MethodCalls::Side.
constinit HistogramFamily durations[] = {
    {"rpc_client_call_duration_seconds",
     "How long calls took, as their callers see it.",
     kBounds,
     MetricUnit::nanoseconds,
     {"rpc_system_name", "rpc_method", "rpc_status_code", "error_type"},
     kCallSeriesMax},
    {"rpc_server_call_duration_seconds",
     "How long calls took, from receipt to reply.",
     kBounds,
     MetricUnit::nanoseconds,
     {"rpc_system_name", "rpc_method", "rpc_status_code", "error_type"},
     kCallSeriesMax}};

std::uint64_t nanoseconds(std::chrono::nanoseconds took) noexcept {
  return took.count() > 0 ? static_cast<std::uint64_t>(took.count()) : 0;
}

}  // namespace

void MethodCalls::count(StatusCode status, std::chrono::nanoseconds took,
                        const trace::SpanContext& span, MonotonicTime at) noexcept {
  const StatusCode known = status_code_of(static_cast<std::uint8_t>(status));
  BoundedHistogram* duration =
      durations_[static_cast<std::size_t>(known)].load(std::memory_order_acquire);
  if (duration == nullptr) [[unlikely]]
    duration = &look_up(known);
  if (span.sampled()) {
    duration->observe(nanoseconds(took), {span.trace_id().bytes(), span.span_id().bytes(), at});
  } else {
    duration->observe(nanoseconds(took));
  }
}

BoundedHistogram& MethodCalls::look_up(StatusCode status) {
  const std::string_view error = status == StatusCode::ok ? std::string_view() : name(status);
  BoundedHistogram& found =
      durations[static_cast<std::size_t>(side_)].with({"spanwire", method_, name(status), error});
  durations_[static_cast<std::size_t>(status)].store(&found, std::memory_order_release);
  return found;
}

MethodCalls& CalledMethods::look_up(const Path& path) {
  const std::string_view text = path.text();
  auto found = methods_.find(text);
  if (found == methods_.end()) {
    if (methods_.size() >= kCallSeriesMax) return others_;
    auto method = std::make_unique<Method>(text);
    const std::string_view own = method->path;
    found = methods_.emplace(own, std::move(method)).first;
  }
  MethodCalls& calls = found->second->calls;
  if (path.plain()) recent_[place(text)] = {text.data(), text.size(), &calls};
  return calls;
}

void count_unknown_call(const trace::SpanContext& span, MonotonicTime at) noexcept {
  static constinit MethodCalls unknown(MethodCalls::Side::server, "_OTHER");
  server_unknown_paths.add();
  unknown.count(StatusCode::unimplemented, {}, span, at);
}

void count_retry() noexcept { client_retries.add(); }
void count_retry_refused() noexcept { client_retries_refused.add(); }
void count_overload() noexcept { server_overloads.add(); }
void count_skipped_handler() noexcept { server_skipped.add(); }
void count_bad_timeout() noexcept { bad_timeouts.add(); }
void count_bad_header_block() noexcept { bad_header_blocks.add(); }

}  // namespace spanwire::rpc
