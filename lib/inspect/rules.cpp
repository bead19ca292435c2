#include "spanwire/inspect/rules.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

namespace spanwire::inspect {
namespace {

using enum Level;

constexpr RuleInfo kRules[] = {
    {Rule::services_present, "services.present", error, 1, "every expected service is there",
     "the service never exported; another OTEL_SERVICE_NAME; sampler off"},
    {Rule::probe_not_empty, "probe.not_empty", error, 2,
     "the backend has spans of the service in the time window",
     "a wrong service name or window; spans not yet exported; a span with a zero id blinds the "
     "search of Jaeger's memory store"},
    {Rule::traces_not_empty, "traces.not_empty", error, 3, "there is at least one span",
     "nothing was sampled; the exporter failed; a wrong file or window; a span with a zero id "
     "blinds the search of Jaeger's memory store"},
    {Rule::traces_foreign, "traces.foreign", error, 2,
     "every trace of the answer has a span of the service asked for",
     "the server did not understand the parameter and answered with all services"},
    {Rule::traces_truncated, "traces.truncated", error, 13, "the answer holds all traces",
     "more traces than the search depth"},
    {Rule::traces_unstable, "traces.unstable", error, 0,
     "the set of spans no longer grows when it is judged", "spans are still being exported"},
    {Rule::sink_same, "sink.same", error, 0, "both sources have the same spans",
     "an exporter or the store lost spans; a time window that is too small; sampling behind one "
     "of the two"},
    {Rule::log_clean, "log.clean", error, 4, "the server's log shows no error of tracing",
     "a missing package; an endpoint that is not there, or of the other protocol"},
    {Rule::read_damaged, "read.damaged", error, 0, "everything in the sources can be read",
     "a process that was killed while writing; a disk that was full; another format"},
    {Rule::ids_zero, "ids.zero", error, 0, "no id is absent or all zeros",
     "a span that was started without a provider"},
    {Rule::ids_malformed, "ids.malformed", error, 0,
     "ids are 32 and 16 hex digits, or the same bytes in base64",
     "an id cut to 64 bits; hex that was decoded as base64 by a generic protobuf converter"},
    {Rule::ids_base64, "ids.base64", info, 0, "ids are hex, as OTLP JSON demands",
     "a generic protobuf converter wrote the file"},
    {Rule::ids_duplicate, "ids.duplicate", error, 8, "a span id stands for one span of its trace",
     "a fork that copied the state of the random numbers; two providers in one process; an id "
     "kept over a retry"},
    {Rule::ids_copied, "ids.copied", warning, 8, "no span is stored twice",
     "an export that was retried although it had arrived; two exporters to one place"},
    {Rule::ids_shared, "ids.shared", error, 0, "a span id stands in one trace only",
     "a fork that copied the state of the random numbers"},
    {Rule::ids_short, "ids.short", info, 0, "trace ids have 128 bits",
     "a tracer with ids of 64 bits, or a bridge from one"},
    {Rule::tree_orphan, "tree.orphan", error, 7, "every parent is in the same trace",
     "the parent was not sampled; filtered on the way; not yet exported; lost by an overflow; its "
     "process was killed; its file is not among the sources; its id was cut to 64 bits; the "
     "answer was truncated"},
    {Rule::tree_self_parent, "tree.self_parent", error, 6, "no span is its own parent",
     "a header that was built by hand"},
    {Rule::tree_cycle, "tree.cycle", error, 6, "no span is its own ancestor",
     "span ids that were used twice"},
    {Rule::tree_roots, "tree.roots", error, 8, "a trace has one root",
     "a provider that was set twice; a second instrumentation of the same request; a root made "
     "where a parent was known"},
    {Rule::tree_no_root, "tree.no_root", error, 8, "a trace has a root",
     "the process with the root does not export, or to another place"},
    {Rule::tree_client_root, "tree.client_root", info, 0, "the root is not a client span",
     "the caller makes no span for the request that it serves"},
    {Rule::tree_depth, "tree.depth", warning, 0, "a trace is no deeper than its bound",
     "a context that is handed on from step to step instead of to siblings"},
    {Rule::propagation_lost, "propagation.lost", error, 5,
     "a call is one trace on both sides: the callee's span is a child of the caller's",
     "the transport or a proxy between the two drops traceparent; the caller does not inject; the "
     "callee does not extract"},
    {Rule::propagation_server_missing, "propagation.server_missing", error, 5,
     "a call that was answered has the server's span",
     "the sampled flag was cleared on the way; the server does not trace; its exporter failed; "
     "its file is not among the sources"},
    {Rule::propagation_skipped_hop, "propagation.skipped_hop", error, 6,
     "a call has one server span, made by the process that it called",
     "a relay hands on the traceparent that it received instead of that of its own span"},
    {Rule::propagation_parent_kind, "propagation.parent_kind", warning, 6,
     "across processes a server span is the child of a client span, a consumer of a producer",
     "the caller injects from its own server span and makes none for the call"},
    {Rule::propagation_edges, "propagation.edges", error, 11,
     "each request has the calls between services that are expected",
     "a call that was not made, or made too often; a context that was lost on the way"},
    {Rule::propagation_services, "propagation.services", error, 11,
     "each request's trace has a span of every service expected in it",
     "a context that was lost on the way to that service; the service does not export"},
    {Rule::propagation_remote_flag, "propagation.remote_flag", warning, 0,
     "the flag for a remote parent agrees with the processes of the two spans",
     "a context that crossed a queue of one process as headers; two processes with one resource"},
    {Rule::propagation_flags, "propagation.flags", error, 5,
     "the W3C flags of a trace are the same in all of its spans",
     "a hop that rebuilds traceparent instead of passing its flags on"},
    {Rule::time_backwards, "time.backwards", error, 0, "no span ends before it starts",
     "wall-clock times taken around a step of the clock; start and end swapped"},
    {Rule::time_outside_parent, "time.outside_parent", warning, 0,
     "a span lies within its parent of the same process",
     "work that goes on when its caller has returned; wrong units"},
    {Rule::time_skew, "time.skew", warning, 0, "the clocks of two processes agree",
     "clocks that are not synchronised"},
    {Rule::time_window, "time.window", info, 0, "all spans lie in the time window asked for",
     "a search returns whole traces"},
    {Rule::time_epoch, "time.epoch", error, 0,
     "times are nanoseconds since 1970, not in the future",
     "seconds, milliseconds or microseconds in the place of nanoseconds; a monotonic clock"},
    {Rule::time_event_outside, "time.event_outside", warning, 0, "events lie within their span",
     "an event that was added with a time of its own"},
    {Rule::completeness_requests, "completeness.requests", error, 8,
     "there are as many request spans as requests were sent",
     "requests that were not sampled; a provider set twice; spans lost; a second instrumentation"},
    {Rule::completeness_events, "completeness.events", error, 9,
     "the events of a request are all there and in order",
     "a stage that was not instrumented; times of two clocks"},
    {Rule::completeness_dropped, "completeness.dropped", warning, 0,
     "no attribute, event or link was cut off by a limit", "limits that are too low"},
    {Rule::links_target, "links.target", error, 12, "a link leads to a span that is there",
     "the span was not sampled, filtered or lost"},
    {Rule::links_self, "links.self", error, 12, "no span links to itself", ""},
    {Rule::links_on_root, "links.on_root", info, 12, "no root links into its own trace",
     "Jaeger's Badger store makes such a link the parent"},
    {Rule::links_elsewhere, "links.elsewhere", warning, 12,
     "a link leads into a trace that was read",
     "the linked trace was not sampled, or lost as a whole; it is older than the time window; its "
     "file is not among the sources"},
    {Rule::content_name_empty, "content.name_empty", error, 10, "every span has a name", ""},
    {Rule::content_name_generic, "content.name_generic", info, 10,
     "no span is named after its HTTP method alone",
     "an HTTP instrumentation that does not know the route"},
    {Rule::content_only_generic, "content.only_generic", error, 10,
     "a service has more than spans named after HTTP methods",
     "detailed traces are not switched on; a build without instrumentation"},
    {Rule::content_names_expected, "content.names_expected", error, 10,
     "every expected span name is there", "a step that did not run, or is not instrumented"},
    {Rule::content_name_variable, "content.name_variable", warning, 0,
     "names hold no ids and no numbers: what varies is an attribute",
     "a name that was put together from values"},
    {Rule::content_value_long, "content.value_long", warning, 0,
     "no value is near the 65,000 bytes with which Jaeger's Badger store loses the span",
     "a prompt or a payload as an attribute"},
    {Rule::content_secret, "content.secret", error, 0, "no value looks like a secret",
     "headers recorded as they are"},
    {Rule::content_prompt, "content.prompt", error, 0,
     "no text of users or models, unless that is expected", "content capture is on"},
    {Rule::content_conventions, "content.conventions", info, 0,
     "attributes of RPC and GenAI come with those that the conventions require beside them", ""},
    {Rule::resource_service_name, "resource.service_name", error, 0,
     "every resource has a service.name", "OTEL_SERVICE_NAME is not set"},
    {Rule::resource_instance_id, "resource.instance_id", info, 0,
     "every resource has a service.instance.id", ""},
    {Rule::resource_instance_shared, "resource.instance_shared", error, 0,
     "no two processes have one service.instance.id",
     "a fork that kept its parent's resource; an id that was copied with a configuration"},
    {Rule::resource_process, "resource.process", info, 0, "every resource names host and process",
     ""},
    {Rule::resource_run_id, "resource.run_id", error, 14,
     "service.instance.id is the run's id on every resource",
     "a process that was started without OTEL_RESOURCE_ATTRIBUTES; spans of another run"},
    {Rule::waiver_expired, "waiver.expired", warning, 0, "no waiver is older than its expiry", ""},
    {Rule::waiver_unused, "waiver.unused", info, 0, "every waiver still has a finding to waive",
     ""},
};
static_assert(std::size(kRules) == kRuleCount);

constexpr bool in_order() {
  for (std::size_t i = 0; i < kRuleCount; ++i) {
    if (static_cast<std::size_t>(kRules[i].rule) != i) return false;
  }
  return true;
}
static_assert(in_order());

constexpr std::array<std::string_view, kGateCount> kGates = {
    "services present",
    "probe not empty",
    "traces not empty",
    "log clean",
    "one trace id over processes",
    "parent links right",
    "no orphans",
    "one root per request, no duplicates",
    "events in order",
    "meaningful spans",
    "expected services in one trace",
    "links resolve",
    "not truncated",
    "run identity",
};

constexpr std::array<std::string_view, 4> kLevels = {"off", "info", "warning", "error"};

}  // namespace

std::string_view name(Level level) noexcept { return kLevels[static_cast<std::size_t>(level)]; }

std::optional<Level> level_of(std::string_view name) noexcept {
  const auto found = std::find(kLevels.begin(), kLevels.end(), name);
  if (found == kLevels.end()) return std::nullopt;
  return static_cast<Level>(found - kLevels.begin());
}

std::span<const RuleInfo> rules() noexcept { return kRules; }

const RuleInfo& info(Rule rule) noexcept { return kRules[static_cast<std::size_t>(rule)]; }

std::optional<Rule> rule_of(std::string_view id) noexcept {
  for (const RuleInfo& rule : kRules) {
    if (rule.id == id) return rule.rule;
  }
  return std::nullopt;
}

std::string_view gate_name(std::size_t gate) noexcept { return kGates[gate - 1]; }

}  // namespace spanwire::inspect
