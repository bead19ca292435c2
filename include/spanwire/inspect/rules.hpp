// The rules by which a set of traces is judged, and the gates that they make up.  Ids are stable:
// they stand in waivers and in the configuration of others' CI; rules are added, never renamed.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace spanwire::inspect {

// off: not looked at.  info and warning are told, only an error fails.
enum class Level : std::uint8_t { off, info, warning, error };
std::string_view name(Level level) noexcept;
std::optional<Level> level_of(std::string_view name) noexcept;

enum class Rule : std::uint8_t {
  services_present,
  probe_not_empty,
  traces_not_empty,
  traces_foreign,
  traces_truncated,
  traces_unstable,
  sink_same,
  log_clean,
  read_damaged,
  ids_zero,
  ids_malformed,
  ids_base64,
  ids_duplicate,
  ids_copied,
  ids_shared,
  ids_short,
  tree_orphan,
  tree_self_parent,
  tree_cycle,
  tree_roots,
  tree_no_root,
  tree_client_root,
  tree_depth,
  propagation_lost,
  propagation_server_missing,
  propagation_skipped_hop,
  propagation_parent_kind,
  propagation_edges,
  propagation_services,
  propagation_remote_flag,
  propagation_flags,
  time_backwards,
  time_outside_parent,
  time_skew,
  time_window,
  time_epoch,
  time_event_outside,
  completeness_requests,
  completeness_events,
  completeness_dropped,
  links_target,
  links_self,
  links_on_root,
  links_elsewhere,
  content_name_empty,
  content_name_generic,
  content_only_generic,
  content_names_expected,
  content_name_variable,
  content_value_long,
  content_secret,
  content_prompt,
  content_conventions,
  resource_service_name,
  resource_instance_id,
  resource_instance_shared,
  resource_process,
  resource_run_id,
  waiver_expired,
  waiver_unused,
};
inline constexpr std::size_t kRuleCount = static_cast<std::size_t>(Rule::waiver_unused) + 1;

struct RuleInfo {
  Rule rule;
  std::string_view id;      // "tree.orphan"
  Level level;              // unless an expectation file says otherwise
  std::uint8_t gate;        // 1 to kGateCount, 0 for none
  std::string_view wants;   // what holds when it passes
  std::string_view causes;  // why it usually does not; empty when that is plain
};

// All of them, in the order of Rule.
std::span<const RuleInfo> rules() noexcept;
const RuleInfo& info(Rule rule) noexcept;
std::optional<Rule> rule_of(std::string_view id) noexcept;

inline constexpr std::size_t kGateCount = 14;
// "services present", of gate 1 to kGateCount.
std::string_view gate_name(std::size_t gate) noexcept;

}  // namespace spanwire::inspect
