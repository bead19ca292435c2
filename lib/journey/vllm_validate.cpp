#include "spanwire/journey/vllm_validate.hpp"

#include <algorithm>
#include <map>
#include <string_view>

#include "spanwire/journey/genai.hpp"
#include "spanwire/journey/vllm_order.hpp"

namespace spanwire::journey {
namespace {

constexpr int kInternal = static_cast<int>(trace::SpanKind::internal);
constexpr int kServer = static_cast<int>(trace::SpanKind::server);
constexpr std::string_view kStepScope = "vllm.scheduler.step";

template <class T>
T value_or(const trace::OwnedAttributes& attributes, std::string_view key, T fallback) {
  for (const auto& [name, value] : attributes) {
    if (name != key) continue;
    if (const T* found = std::get_if<T>(&value)) return *found;
  }
  return fallback;
}

VllmEventFacts facts_of(const trace::SpanData::Event& event) {
  const auto text = [&](std::string_view key) {
    return value_or<std::string>(event.attributes, key, {});
  };
  const auto number = [&](std::string_view key) {
    return value_or<std::int64_t>(event.attributes, key, 0);
  };
  return {event.name,
          event.time.time_since_epoch().count(),
          number("scheduler.step"),
          text("schedule.kind"),
          text("finish.status"),
          number("prefill.done_tokens"),
          number("decode.done_tokens"),
          number("num_preemptions")};
}

VllmMark mark_of(VllmEvent event, const VllmEventFacts& facts) {
  VllmMark mark;
  mark.event = event;
  // Any clock will do: only the order counts.
  mark.at = MonotonicTime(std::chrono::nanoseconds(facts.time_ns));
  mark.step = facts.step;
  mark.schedule = schedule_named(facts.schedule_kind).value_or(VllmSchedule::first);
  // An end that does not say how is held to what a good one must have.
  mark.finish = finish_named(facts.finish_status).value_or(VllmFinish::stopped);
  mark.progress.prefill_done = facts.prefill_done;
  mark.progress.decode_done = facts.decode_done;
  mark.progress.preemptions = facts.preemptions;
  return mark;
}

bool has_event(const VllmSpanFacts& span, VllmEvent event) {
  return std::any_of(span.events.begin(), span.events.end(), [event](const VllmEventFacts& facts) {
    return facts.name == name(event).view();
  });
}

// One request with its spans.
class Journey {
 public:
  void add(const VllmSpanFacts& span) {
    if (span.name == name(VllmSpan::request).view()) {
      requests_.push_back(&span);
    } else if (span.name == name(VllmSpan::core).view()) {
      cores_.push_back(&span);
    }
    if (!is_known(span.scope)) strangers_.push_back(&span);
  }

  void check(std::vector<VllmViolation>& found) const {
    for (const VllmSpanFacts* span : strangers_) {
      report(found, Errc::journey_scope_unknown, *span, span->scope);
    }
    check_numbers(found);
    if (!requests_.empty() && !cores_.empty()) check_tree(found);
    for (const VllmSpanFacts* span : requests_) check_span(found, *span, VllmSpan::request);
    for (const VllmSpanFacts* span : cores_) check_span(found, *span, VllmSpan::core);
  }

 private:
  static bool is_known(std::string_view scope) {
    return !scope.starts_with("vllm.") || scope == name(VllmScope::api) ||
           scope == name(VllmScope::scheduler) || scope == kStepScope;
  }

  static void report(std::vector<VllmViolation>& found, Errc rule, const VllmSpanFacts& span,
                     std::string detail, std::optional<std::size_t> event = {}) {
    found.push_back({rule, span.request_id, span.name, event, std::move(detail)});
  }

  void check_numbers(std::vector<VllmViolation>& found) const {
    for (const auto* spans : {&requests_, &cores_}) {
      if (spans->size() > 1) {
        report(found, Errc::journey_request_repeated, *spans->back(),
               std::to_string(spans->size()) + " of them");
      }
    }
    if (requests_.empty() && !cores_.empty()) {
      report(found, Errc::journey_incomplete, *cores_.front(), "without llm_request");
    }
    const bool went_to_core =
        !requests_.empty() && (has_event(*requests_.front(), VllmEvent::handoff_to_core) ||
                               !has_event(*requests_.front(), VllmEvent::aborted));
    if (cores_.empty() && went_to_core) {
      report(found, Errc::journey_incomplete, *requests_.front(), "without llm_core");
    }
  }

  void check_tree(std::vector<VllmViolation>& found) const {
    const VllmSpanFacts& request = *requests_.front();
    for (const VllmSpanFacts* core : cores_) {
      if (!(core->trace_id == request.trace_id)) {
        report(found, Errc::journey_split, *core, core->trace_id.hex().str());
      } else if (!(core->parent_span_id == request.span_id)) {
        report(found, Errc::journey_parent_wrong, *core, core->parent_span_id.hex().str());
      }
    }
  }

  static void check_span(std::vector<VllmViolation>& found, const VllmSpanFacts& span,
                         VllmSpan which) {
    const int wanted = which == VllmSpan::request ? kServer : kInternal;
    if (span.kind != wanted) {
      report(found, Errc::journey_span_kind, span, "kind " + std::to_string(span.kind));
    }
    VllmOrder order(which);
    for (std::size_t i = 0; i < span.events.size(); ++i) {
      const std::optional<VllmEvent> event = event_named(span.events[i].name);
      if (!event) continue;  // an exception, or what somebody else has to say
      const Errc wrong = order.next(mark_of(*event, span.events[i]));
      if (wrong != Errc::ok) report(found, wrong, span, span.events[i].name, i);
    }
    const Errc wrong = order.end();
    if (wrong != Errc::ok) report(found, wrong, span, "no end");
  }

  std::vector<const VllmSpanFacts*> requests_;
  std::vector<const VllmSpanFacts*> cores_;
  std::vector<const VllmSpanFacts*> strangers_;
};

bool belongs(const VllmSpanFacts& span) {
  return span.scope.starts_with("vllm.") || span.name == name(VllmSpan::request).view() ||
         span.name == name(VllmSpan::core).view();
}

}  // namespace

VllmSpanFacts facts_of(const trace::SpanData& span) {
  VllmSpanFacts facts;
  facts.scope = span.scope;
  facts.name = span.name;
  facts.kind = static_cast<int>(span.kind);
  facts.trace_id = span.context.trace_id();
  facts.span_id = span.context.span_id();
  facts.parent_span_id = span.parent_span_id;
  const std::string_view key = key_of(GenAi::request_id, false).view();
  facts.request_id = value_or<std::string>(span.attributes, key, {});
  for (const trace::SpanData::Event& event : span.events) facts.events.push_back(facts_of(event));
  return facts;
}

std::string VllmViolation::to_string() const {
  std::string text(name(rule));
  text.append(": request ").append(request_id.empty() ? "?" : request_id);
  text.append(", ").append(span);
  if (event) text.append(", event ").append(std::to_string(*event));
  if (!detail.empty()) text.append(" ").append(detail);
  return text;
}

std::vector<VllmViolation> validate_vllm(std::span<const VllmSpanFacts> spans) {
  std::map<std::string_view, Journey> journeys;
  for (const VllmSpanFacts& span : spans) {
    if (belongs(span)) journeys[span.request_id].add(span);
  }
  std::vector<VllmViolation> found;
  for (const auto& [id, journey] : journeys) journey.check(found);
  return found;
}

std::vector<VllmViolation> validate_vllm(std::span<const trace::SpanData> spans) {
  std::vector<VllmSpanFacts> facts;
  for (const trace::SpanData& span : spans) facts.push_back(facts_of(span));
  return validate_vllm(facts);
}

}  // namespace spanwire::journey
