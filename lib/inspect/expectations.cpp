#include "spanwire/inspect/expectations.hpp"

#include <algorithm>
#include <chrono>
#include <functional>
#include <nlohmann/json.hpp>

#include "spanwire/trace/ids.hpp"

namespace spanwire::inspect {
namespace {

using Json = nlohmann::json;

// Reads one object: each member has a reader, and one that has none is an error, so that a name
// that was typed wrongly does not switch a check off.
class Members {
 public:
  Members(const Json& object, std::string path) : object_(object), path_(std::move(path)) {
    if (!object.is_object()) complain("not an object");
  }

  Members& text(const char* key, std::string& to) {
    return member(key, "a text", &Json::is_string, [&](const Json& j) { to = j; });
  }
  Members& flag(const char* key, bool& to) {
    return member(key, "true or false", &Json::is_boolean, [&](const Json& j) { to = j; });
  }
  template <class Number>
  Members& count(const char* key, Number& to) {
    return member(key, "a number from 0 on", &Json::is_number_unsigned,
                  [&](const Json& j) { to = j.get<std::size_t>(); });
  }
  Members& milliseconds(const char* key, std::int64_t& to_ns) {
    return member(key, "a number of milliseconds", &Json::is_number, [&](const Json& j) {
      const double value = j;
      if (!(value >= 0) || value > 86'400e3) return complain(std::string(key) + ": out of range");
      to_ns = static_cast<std::int64_t>(value * 1e6);
    });
  }
  Members& texts(const char* key, std::vector<std::string>& to) {
    return member(key, "a list of texts", &Json::is_array, [&](const Json& j) {
      for (const Json& item : j) {
        if (!item.is_string()) return complain(std::string(key) + ": not a list of texts");
        to.push_back(item);
      }
    });
  }
  // `read(Members&)` once for each object of the list.
  template <class Read>
  Members& list(const char* key, Read read) {
    return member(key, "a list", &Json::is_array, [&](const Json& j) {
      for (std::size_t i = 0; i < j.size() && error_.empty(); ++i) {
        Members item(j[i], path_ + key + '[' + std::to_string(i) + "].");
        if (item.error_.empty()) read(item);
        error_ = item.end();
      }
    });
  }
  template <class Read>
  Members& object(const char* key, Read read) {
    return member(key, "an object", &Json::is_object, [&](const Json& j) { read(j); });
  }

  void complain(const std::string& text) {
    if (error_.empty()) error_ = path_ + text;
  }
  bool good() const noexcept { return error_.empty(); }

  // Empty when all was read and was good.
  std::string end() {
    if (!error_.empty()) return error_;
    for (const auto& item : object_.items()) {
      if (std::find(known_.begin(), known_.end(), item.key()) == known_.end()) {
        complain(item.key() + ": unknown");
      }
    }
    return error_;
  }

 private:
  template <class Read>
  Members& member(const char* key, const char* what, bool (Json::*is)() const noexcept, Read read) {
    known_.emplace_back(key);
    if (!error_.empty()) return *this;
    const auto found = object_.find(key);
    if (found == object_.end()) return *this;
    if (((*found).*is)()) {
      read(*found);
    } else {
      complain(std::string(key) + ": not " + what);
    }
    return *this;
  }

  const Json& object_;
  std::string path_;
  std::string error_;
  std::vector<std::string> known_;
};

bool is_day(std::string_view text) {
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return false;
  for (const std::size_t at : {0, 1, 2, 3, 5, 6, 8, 9}) {
    if (text[at] < '0' || text[at] > '9') return false;
  }
  const auto number = [text](std::size_t at, std::size_t count) {
    unsigned value = 0;
    for (const char c : text.substr(at, count)) value = value * 10 + static_cast<unsigned>(c - '0');
    return value;
  };
  return std::chrono::year_month_day(std::chrono::year(static_cast<int>(number(0, 4))),
                                     std::chrono::month(number(5, 2)),
                                     std::chrono::day(number(8, 2)))
      .ok();
}

void read_edge(Members& members, ExpectedRequest& request) {
  ExpectedEdge edge;
  members.text("from", edge.from)
      .text("to", edge.to)
      .count("at_least", edge.at_least)
      .count("at_most", edge.at_most);
  if (edge.from.empty() || edge.to.empty()) members.complain("needs from and to");
  if (edge.at_least > edge.at_most) members.complain("at_least is more than at_most");
  request.edges.push_back(std::move(edge));
}

void read_request(Members& members, Expectations& to) {
  ExpectedRequest request;
  members.text("service", request.service)
      .text("name", request.name)
      .count("count", request.count)
      .texts("services", request.services)
      .texts("names", request.names)
      .list("edges", [&](Members& edge) { read_edge(edge, request); });
  if (request.name.empty()) members.complain("needs the name of a root span");
  to.requests.push_back(std::move(request));
}

void read_events(Members& members, Expectations& to) {
  ExpectedEvents events;
  members.text("span", events.span).texts("order", events.order);
  if (events.span.empty() || events.order.empty()) members.complain("needs span and order");
  to.events.push_back(std::move(events));
}

void read_waiver(Members& members, Expectations& to) {
  Waiver waiver;
  std::string rule;
  members.text("rule", rule)
      .text("service", waiver.service)
      .text("name", waiver.name)
      .text("trace", waiver.trace)
      .text("reason", waiver.reason)
      .text("expires", waiver.expires);
  if (const auto known = rule_of(rule)) {
    waiver.rule = *known;
  } else {
    members.complain("rule: there is no rule '" + rule + "'");
  }
  if (waiver.reason.empty()) members.complain("needs a reason");
  for (char& c : waiver.trace) c = c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c;
  if (waiver.trace.size() > trace::TraceId::kHexChars ||
      waiver.trace.find_first_not_of("0123456789abcdef") != std::string::npos) {
    members.complain("trace: not the beginning of a trace id");
  }
  if (!is_day(waiver.expires)) members.complain("expires: not a day such as 2027-01-31");
  to.waivers.push_back(std::move(waiver));
}

void read_levels(Members& members, const Json& object, Expectations& to) {
  for (const auto& item : object.items()) {
    const auto rule = rule_of(item.key());
    const auto level =
        item.value().is_string() ? level_of(item.value().get<std::string>()) : std::nullopt;
    if (!rule) return members.complain("levels: there is no rule '" + item.key() + "'");
    if (!level) {
      return members.complain("levels." + item.key() + ": not one of off, info, warning, error");
    }
    to.levels[static_cast<std::size_t>(*rule)] = *level;
  }
}

std::string read_all(const Json& json, Expectations& to) {
  Members members(json, "");
  std::vector<std::string> patterns;
  members.texts("services", to.services)
      .list("requests", [&](Members& item) { read_request(item, to); })
      .count("request_count", to.request_count)
      .list("events", [&](Members& item) { read_events(item, to); })
      .texts("log_patterns", patterns)
      .text("run_id", to.run_id)
      .flag("external_parents", to.external_parents)
      .flag("prompts", to.prompts)
      .milliseconds("skew_ms", to.skew_ns)
      .milliseconds("outside_parent_ms", to.outside_parent_ns)
      .count("depth_max", to.depth_max)
      .object("levels", [&](const Json& levels) { read_levels(members, levels, to); })
      .list("waivers", [&](Members& item) { read_waiver(item, to); });
  if (!patterns.empty()) to.log_patterns = std::move(patterns);
  return members.end();
}

}  // namespace

Expectations::Expectations()
    : events{{"llm_request",
              {"api.ARRIVED", "api.HANDOFF_TO_CORE", "api.FIRST_RESPONSE_FROM_CORE",
               "api.DEPARTED|api.ABORTED"}},
             {"llm_core",
              {"journey.QUEUED", "journey.SCHEDULED", "journey.FIRST_TOKEN", "journey.FINISHED"}}},
      log_patterns{// imports, as Python, SGLang and vLLM say it
                   "no module named 'opentelemetry", "no module named opentelemetry",
                   "from 'opentelemetry", "opentelemetry is not installed",
                   "opentelemetry package is not installed", "opentelemetry is not available",
                   // set-up
                   "failed to initialize tracing", "overriding of current tracerprovider",
                   "an exporter does not start",
                   // export: Python, Java, Go, C++, the Collector, Spanwire
                   "failed to export", "exporter failed", "encountered while exporting",
                   "exception while exporting span", "traces export:", "export() failed",
                   "exporting failed", "likely spans will be dropped", "queue full, dropping span",
                   "spans were lost"} {
  for (const RuleInfo& rule : rules()) levels[static_cast<std::size_t>(rule.rule)] = rule.level;
}

Result<Expectations> parse_expectations(std::string_view text) {
  Expectations expectations;
  try {
    const std::string error = read_all(Json::parse(text), expectations);
    if (!error.empty()) return fail(Errc::file_malformed, error);
  } catch (const Json::parse_error& error) {
    return fail(Errc::file_malformed, "not JSON, at byte " + std::to_string(error.byte));
  } catch (const Json::out_of_range&) {
    return fail(Errc::file_malformed, "a number is beyond what a double holds");
  }
  return expectations;
}

}  // namespace spanwire::inspect
