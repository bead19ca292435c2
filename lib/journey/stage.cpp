#include "spanwire/journey/stage.hpp"

#include <iterator>

namespace spanwire::journey {
namespace {

struct Row {
  trace::Key name;
  Level level;
  bool observed;
};

// In the order of Stage.
constexpr Row kRows[] = {
    {{}, kImportant, false},
    {"tokenize", kImportant, false},
    {"api_server_dispatch", kUsual, false},
    {"dpc_dispatch", kUsual, false},
    {"request_process", kUsual, true},
    {"prefill_prepare", kImportant, false},
    {"prefill_bootstrap", kImportant, true},
    {"prefill_waiting", kImportant, false},  // that is the time in the queue
    {"prefill_forward", kImportant, true},
    {"prefill_transfer_kv_cache", kImportant, true},
    {"decode_prepare", kImportant, true},
    {"decode_bootstrap", kImportant, true},
    {"decode_waiting", kImportant, true},
    {"decode_transferred", kImportant, true},
    {"decode_forward", kImportant, true},
    {"quick_finish", kImportant, true},
    {"prefill_queue_idle", kUsual, true},
    {"prefill_budget_wait", kUsual, true},
    {"chunked_prefill", kEverything, true},
    {"decode_loop", kEverything, false},
    {"fake_output", kEverything, true},
    {"mooncake_send", kImportant, false},
    {"mooncake_recv", kImportant, false},
    {"mooncake_worker_send", kImportant, false},
    {"mooncake_worker_send_session", kUsual, false},
    {"mooncake_worker_recv", kImportant, false},
};
static_assert(std::size(kRows) == kStages);
static_assert(static_cast<std::size_t>(Stage::mooncake_worker_recv) + 1 == kStages);

const Row& row_of(Stage stage) noexcept { return kRows[static_cast<std::size_t>(stage)]; }

}  // namespace

trace::Key name(Stage stage) noexcept { return row_of(stage).name; }
Level level_of(Stage stage) noexcept { return row_of(stage).level; }
bool is_observed(Stage stage) noexcept { return row_of(stage).observed; }

}  // namespace spanwire::journey
