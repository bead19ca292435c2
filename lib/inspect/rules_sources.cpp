// Rules about the sources themselves: what the backend said, the logs, what could not be read.
#include <algorithm>
#include <set>

#include "lib/base/ascii.hpp"
#include "lib/inspect/case.hpp"
#include "spanwire/inspect/text.hpp"

namespace spanwire::inspect {
namespace {

std::set<std::string> services_seen(const Case& of) {
  std::set<std::string> seen;
  for (const Span& span : of.spans()) seen.insert(of.service(span));
  return seen;
}

void check_services(Case& of) {
  const std::vector<std::string>& wanted = of.expected().services;
  if (wanted.empty()) {
    of.skip(Rule::services_present, "no services are expected");
    return;
  }
  const auto& backend = of.evidence().backend;
  std::set<std::string> seen;
  if (backend && backend->services) {
    seen.insert(backend->services->begin(), backend->services->end());
  } else {
    seen = services_seen(of);
  }
  for (const std::string& service : wanted) {
    if (seen.count(service) != 0) continue;
    std::string others;
    for (const std::string& other : seen) others += (others.empty() ? "" : ", ") + other;
    of.add(Rule::services_present, service,
           "not among the services" + (others.empty() ? ": there are none" : ": " + others));
  }
}

// A service that is listed, and yet nothing is found: one span with an id of zeros ends the search
// of Jaeger's memory store.
std::string blinded(const BackendAnswers& backend) {
  if (!backend.services) return {};
  const auto& services = *backend.services;
  const bool listed =
      std::any_of(backend.asked.begin(), backend.asked.end(), [&](const std::string& service) {
        return std::find(services.begin(), services.end(), service) != services.end();
      });
  if (!listed) return {};
  return "; the service is listed, so it may be that a span with a zero trace id blinds the search";
}

std::string asked_of(const BackendAnswers& backend) {
  std::string text;
  for (const std::string& service : backend.asked) text += (text.empty() ? "" : " or ") + service;
  return text;
}

void check_answers(Case& of) {
  const auto& backend = of.evidence().backend;
  const std::string service = backend ? asked_of(*backend) : std::string();
  if (!backend || !backend->probe_traces) {
    of.skip(Rule::probe_not_empty, "no backend was probed");
  } else if (*backend->probe_traces == 0) {
    of.add(Rule::probe_not_empty, service, "0 traces" + blinded(*backend));
  }
  if (of.spans().empty()) {
    of.add(Rule::traces_not_empty, service,
           "0 spans" + (backend ? blinded(*backend) : std::string()));
  }
  if (!backend || !backend->depth) {
    of.skip(Rule::traces_truncated, "no search with a depth");
  } else if (backend->truncated) {
    of.add(
        Rule::traces_truncated, service,
        counted(of.trees().size(), "trace") + " at a depth of " + std::to_string(*backend->depth));
  }
  if (!backend || !backend->stable) {
    of.skip(Rule::traces_unstable, "no backend was polled");
  } else if (!*backend->stable) {
    of.add(Rule::traces_unstable, service, "still growing when the time was up");
  }
}

// A misspelt parameter is no error to Jaeger: it answers with the traces of all services.
void check_foreign(Case& of) {
  const auto& backend = of.evidence().backend;
  if (!backend || backend->asked.empty()) {
    of.skip(Rule::traces_foreign, "no service was asked for");
    return;
  }
  for (const Tree& tree : of.trees()) {
    const bool found = std::any_of(tree.nodes.begin(), tree.nodes.end(), [&](const Node& node) {
      const std::string& service = of.service(of.spans()[node.span]);
      return std::find(backend->asked.begin(), backend->asked.end(), service) !=
             backend->asked.end();
    });
    if (!found) of.add(Rule::traces_foreign, tree, "no span of " + asked_of(*backend));
  }
}

void check_log(Case& of, const LogText& log) {
  std::vector<std::string> patterns;
  for (const std::string& pattern : of.expected().log_patterns)
    patterns.push_back(lower_case(pattern));
  std::string_view rest = log.text;
  for (std::size_t line = 1; !rest.empty(); ++line) {
    const std::size_t end = rest.find('\n');
    const std::string text = lower_case(rest.substr(0, end));
    for (const std::string& pattern : patterns) {
      if (text.find(pattern) == std::string::npos) continue;
      of.add(Rule::log_clean, log.name,
             log.name + ':' + std::to_string(line) + ": " + text.substr(0, 200),
             "no line with '" + pattern + "'");
      break;
    }
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  }
}

void check_logs(Case& of) {
  const std::vector<LogText>& logs = of.evidence().logs;
  if (logs.empty()) of.skip(Rule::log_clean, "no log was given");
  for (const LogText& log : logs) check_log(of, log);
  // Of a server that wrote nothing, or to another place, nobody knows.
  for (const LogText& log : logs) {
    if (!log.text.empty() || of.failed(Rule::log_clean)) continue;
    of.skip(Rule::log_clean, log.name + (log.problem.empty() ? " is empty" : ": " + log.problem));
  }
}

using Key = std::pair<trace::TraceId, trace::SpanId>;

std::set<Key> keys_of(const TraceSet& traces) {
  std::set<Key> keys;
  for (const Span& span : traces.spans) keys.insert({span.trace, span.id});
  return keys;
}

void check_against(Case& of) {
  const TraceSet* against = of.evidence().against;
  if (against == nullptr) {
    of.skip(Rule::sink_same, "no second source was given");
    return;
  }
  const std::set<Key> ours = keys_of(*of.evidence().traces);
  const std::set<Key> theirs = keys_of(*against);
  for (const Span& span : of.spans()) {
    if (theirs.count({span.trace, span.id}) != 0) continue;
    of.add(Rule::sink_same, span, "not in the second source");
  }
  for (const Span& span : against->spans) {
    if (ours.count({span.trace, span.id}) != 0) continue;
    of.add(Rule::sink_same, against->processes[span.process].service,
           "span " + span.id.hex().str() + " '" + span.name + "' of trace " +
               span.trace.hex().str() + " is in the second source only");
  }
}

void check_reading(Case& of) {
  const ReadReport* read = of.evidence().read;
  if (read == nullptr) {
    for (const Rule rule : {Rule::read_damaged, Rule::ids_zero, Rule::ids_malformed,
                            Rule::ids_base64, Rule::ids_copied}) {
      of.skip(rule, "nothing is known of how it was read");
    }
    return;
  }
  for (const Problem& problem : read->problems) {
    const std::string text =
        problem.file + ':' + std::to_string(problem.line) + ": " + problem.text;
    switch (problem.kind) {
      case ProblemKind::zero_id:
        of.add(Rule::ids_zero, std::string(), text);
        break;
      case ProblemKind::bad_id:
      case ProblemKind::base64_as_hex:
        of.add(Rule::ids_malformed, std::string(), text);
        break;
      case ProblemKind::damaged:
      case ProblemKind::error_answer:
        of.add(Rule::read_damaged, std::string(), text);
        break;
    }
  }
  if (read->problem_count > read->problems.size()) {
    of.add(Rule::read_damaged, std::string(),
           "and " + std::to_string(read->problem_count - read->problems.size()) + " more problems");
  }
  if (read->base64_ids > 0) {
    of.add(Rule::ids_base64, std::string(), counted(read->base64_ids, "id") + " in base64");
  }
  if (read->duplicates > 0) {
    of.add(Rule::ids_copied, std::string(),
           counted(read->duplicates, "span") + " stored twice, equal in all that tells them apart");
  }
}

}  // namespace

void check_sources(Case& of) {
  check_services(of);
  check_answers(of);
  check_foreign(of);
  check_logs(of);
  check_against(of);
  check_reading(of);
}

}  // namespace spanwire::inspect
