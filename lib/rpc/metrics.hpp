// Counters and histograms of rpc, by the names of docs/tracing.md.
#pragma once

#include <chrono>

#include "spanwire/rpc/status.hpp"

namespace spanwire::rpc {

void count_client_call(StatusCode status, std::chrono::nanoseconds took) noexcept;
void count_server_call(StatusCode status, std::chrono::nanoseconds took) noexcept;
void count_retry() noexcept;
// One that the budget did not allow.
void count_retry_refused() noexcept;
void count_overload() noexcept;
// A call of a pool that nobody waited for any more when its turn came.
void count_skipped_handler() noexcept;
void count_unknown_path() noexcept;
void count_bad_timeout() noexcept;
void count_bad_header_block() noexcept;

}  // namespace spanwire::rpc
