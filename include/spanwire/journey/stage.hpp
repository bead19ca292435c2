// SGLang's slices: what a request is doing, with the name, the level and the metric that it has
// there.
#pragma once

#include <cstddef>
#include <cstdint>

#include "spanwire/journey/settings.hpp"
#include "spanwire/trace/attribute.hpp"

namespace spanwire::journey {

enum class Stage : std::uint8_t {
  none,
  // One after the other.
  tokenize,
  api_server_dispatch,
  dpc_dispatch,
  request_process,
  prefill_prepare,
  prefill_bootstrap,
  prefill_waiting,  // in the queue
  prefill_forward,
  prefill_transfer_kv_cache,
  decode_prepare,
  decode_bootstrap,
  decode_waiting,  // in the queue
  decode_transferred,
  decode_forward,
  quick_finish,
  // The two parts of prefill_waiting: nobody tried yet; there was no room when somebody did.
  prefill_queue_idle,
  prefill_budget_wait,
  // Inside of others, or in worker threads.
  chunked_prefill,
  decode_loop,  // one decode step, with the attribute decode_ct
  fake_output,
  mooncake_send,
  mooncake_recv,
  mooncake_worker_send,
  mooncake_worker_send_session,
  mooncake_worker_recv,
};
inline constexpr std::size_t kStages = 26;

// "prefill_waiting"; empty for none.
trace::Key name(Stage stage) noexcept;
// Of its slice: 1 for the stages of the first group and of workers, 2 for dispatching, for the
// parts of a wait and for a worker's session, 3 for what is nested.
Level level_of(Stage stage) noexcept;
// Its time is observed in sglang:per_stage_req_latency_seconds, with its name as the label stage.
bool is_observed(Stage stage) noexcept;

}  // namespace spanwire::journey
