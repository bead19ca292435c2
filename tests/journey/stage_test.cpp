#include "spanwire/journey/stage.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace spanwire::journey {
namespace {

struct Named {
  Stage stage;
  const char* name;
  Level level;
  bool observed;
};
// As SGLang has them; but decode_forward, which it does not observe, is an interval here.
constexpr Named kNamed[] = {
    {Stage::none, "", 1, false},
    {Stage::tokenize, "tokenize", 1, false},
    {Stage::prefill_waiting, "prefill_waiting", 1, false},
    {Stage::prefill_forward, "prefill_forward", 1, true},
    {Stage::decode_forward, "decode_forward", 1, true},
    {Stage::prefill_prepare, "prefill_prepare", 1, false},
    {Stage::prefill_bootstrap, "prefill_bootstrap", 1, true},
    {Stage::prefill_transfer_kv_cache, "prefill_transfer_kv_cache", 1, true},
    {Stage::decode_prepare, "decode_prepare", 1, true},
    {Stage::decode_bootstrap, "decode_bootstrap", 1, true},
    {Stage::decode_waiting, "decode_waiting", 1, true},
    {Stage::decode_transferred, "decode_transferred", 1, true},
    {Stage::quick_finish, "quick_finish", 1, true},
    {Stage::mooncake_send, "mooncake_send", 1, false},
    {Stage::mooncake_recv, "mooncake_recv", 1, false},
    {Stage::mooncake_worker_send, "mooncake_worker_send", 1, false},
    {Stage::mooncake_worker_recv, "mooncake_worker_recv", 1, false},
    {Stage::api_server_dispatch, "api_server_dispatch", 2, false},
    {Stage::dpc_dispatch, "dpc_dispatch", 2, false},
    {Stage::request_process, "request_process", 2, true},
    {Stage::mooncake_worker_send_session, "mooncake_worker_send_session", 2, false},
    {Stage::prefill_queue_idle, "prefill_queue_idle", 2, true},
    {Stage::prefill_budget_wait, "prefill_budget_wait", 2, true},
    {Stage::decode_loop, "decode_loop", 3, false},
    {Stage::chunked_prefill, "chunked_prefill", 3, true},
    {Stage::fake_output, "fake_output", 3, true},
};

TEST(Stage, HasSglangsNameLevelAndMetric) {
  std::set<Stage> told;
  for (const Named& named : kNamed) {
    EXPECT_TRUE(told.insert(named.stage).second) << named.name;
    EXPECT_EQ(name(named.stage).view(), named.name);
    EXPECT_EQ(level_of(named.stage), named.level) << named.name;
    EXPECT_EQ(is_observed(named.stage), named.observed) << named.name;
  }
  EXPECT_EQ(told.size(), kStages);
}

}  // namespace
}  // namespace spanwire::journey
