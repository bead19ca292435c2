#include "lib/rpc/metrics.hpp"

#include "spanwire/base/counters.hpp"

namespace spanwire::rpc {
namespace {

constinit NamedCounter client_calls("spanwire.rpc.client.calls");
constinit NamedCounter client_failures("spanwire.rpc.client.failures");
constinit NamedCounter client_retries("spanwire.rpc.client.retries");
constinit NamedCounter client_retries_refused("spanwire.rpc.client.retries_refused");
constinit NamedCounter server_calls("spanwire.rpc.server.calls");
constinit NamedCounter server_failures("spanwire.rpc.server.failures");
constinit NamedCounter server_overloads("spanwire.rpc.server.overloads");
constinit NamedCounter server_skipped("spanwire.rpc.server.skipped_handlers");
constinit NamedCounter server_unknown_paths("spanwire.rpc.server.unknown_paths");
constinit NamedCounter bad_timeouts("spanwire.rpc.server.bad_timeouts");
constinit NamedCounter bad_header_blocks("spanwire.rpc.server.bad_header_blocks");
constinit NamedHistogram client_duration("rpc.client.call.duration", MetricUnit::nanoseconds);
constinit NamedHistogram server_duration("rpc.server.call.duration", MetricUnit::nanoseconds);

std::uint64_t nanoseconds(std::chrono::nanoseconds took) noexcept {
  return took.count() > 0 ? static_cast<std::uint64_t>(took.count()) : 0;
}

}  // namespace

void count_client_call(StatusCode status, std::chrono::nanoseconds took) noexcept {
  client_calls.add();
  if (status != StatusCode::ok) client_failures.add();
  client_duration.record(nanoseconds(took));
}

void count_server_call(StatusCode status, std::chrono::nanoseconds took) noexcept {
  server_calls.add();
  if (status != StatusCode::ok) server_failures.add();
  server_duration.record(nanoseconds(took));
}

void count_retry() noexcept { client_retries.add(); }
void count_retry_refused() noexcept { client_retries_refused.add(); }
void count_overload() noexcept { server_overloads.add(); }
void count_skipped_handler() noexcept { server_skipped.add(); }
void count_unknown_path() noexcept { server_unknown_paths.add(); }
void count_bad_timeout() noexcept { bad_timeouts.add(); }
void count_bad_header_block() noexcept { bad_header_blocks.add(); }

}  // namespace spanwire::rpc
