#include "tools/receive/live_traces.hpp"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "spanwire/inspect/reader.hpp"

namespace spanwire::tools {
namespace {

using inspect::Attribute;
using inspect::Span;
using inspect::Value;

// What an entry of a hash table costs beside its content.
constexpr std::size_t kEntryBytes = 64;
// Different scopes that are remembered from one request to the next.
constexpr std::size_t kScopesKept = 4'096;

std::size_t bytes_of(const std::vector<Attribute>& attributes);

std::size_t bytes_of(const Value& value) {
  if (const auto* text = std::get_if<std::string>(&value.data)) return text->size();
  if (const auto* bytes = std::get_if<Value::Bytes>(&value.data)) return bytes->base64.size();
  if (const auto* map = std::get_if<Value::Map>(&value.data)) return bytes_of(*map);
  std::size_t sum = 0;
  if (const auto* array = std::get_if<Value::Array>(&value.data)) {
    for (const Value& one : *array) sum += sizeof(Value) + bytes_of(one);
  }
  return sum;
}

std::size_t bytes_of(const std::vector<Attribute>& attributes) {
  std::size_t sum = 0;
  for (const Attribute& attribute : attributes) {
    sum += sizeof(Attribute) + attribute.key.size() + bytes_of(attribute.value);
  }
  return sum;
}

std::size_t bytes_of(const Span& span) {
  std::size_t sum = sizeof(Span) + kEntryBytes + span.name.size() + span.tracestate.size() +
                    span.status_message.size() + bytes_of(span.attributes);
  for (const auto& event : span.events) {
    sum += sizeof event + event.name.size() + bytes_of(event.attributes);
  }
  for (const auto& link : span.links) sum += sizeof link + bytes_of(link.attributes);
  return sum;
}

// The place in `own` of what stands at `index` in `all`.
template <class T>
std::uint32_t own_index(std::uint32_t index, const std::vector<T>& all, std::vector<T>& own,
                        std::unordered_map<std::uint32_t, std::uint32_t>& known) {
  const auto [entry, added] = known.try_emplace(index, static_cast<std::uint32_t>(own.size()));
  if (added) own.push_back(all[index]);
  return entry->second;
}

}  // namespace

bool LiveTrace::is_complete() const {
  bool has_root = false;
  for (const Span& span : set.spans) {
    if (span.parent.is_zero()) {
      has_root = true;
    } else if (index.find(span.parent) == index.end()) {
      return false;
    }
  }
  return has_root;
}

LiveTraces::LiveTraces(const LiveOptions& options, Show show)
    : options_(options), show_(std::move(show)) {}

LiveTraces::Taken LiveTraces::take(std::string_view line, MonotonicTime now) {
  now_ = now;
  report_ = {};
  spans_taken_ = 0;
  read_text("request", line);
  make_room();
  Taken taken{report_.lines != 0, spans_taken_, report_.spans_left_out, report_.problem_count, {}};
  if (!report_.problems.empty()) taken.first_problem = report_.problems.front().text;
  return taken;
}

LiveTrace& LiveTraces::trace_of(const trace::TraceId& id) {
  if (const auto known = by_id_.find(id); known != by_id_.end()) return *known->second;
  LiveTrace& made = traces_in_order_.emplace_back();
  made.id = id;
  made.number = traces_seen_++;
  made.bytes = sizeof made + kEntryBytes;
  bytes_ += made.bytes;
  by_id_.emplace(id, std::prev(traces_in_order_.end()));
  return made;
}

void LiveTraces::on_span(Span& span) {
  ++spans_taken_;
  LiveTrace& trace = trace_of(span.trace);
  const std::size_t processes = trace.set.processes.size();
  span.process = own_index(span.process, traces_.processes, trace.set.processes, trace.processes);
  span.scope = own_index(span.scope, traces_.scopes, trace.set.scopes, trace.scopes);
  const auto [first, last] = trace.index.equal_range(span.id);
  for (auto item = first; item != last; ++item) {
    if (inspect::same_span(trace.set.spans[item->second], span)) {
      ++duplicates_;
      return;
    }
  }
  std::size_t bytes = bytes_of(span);
  if (trace.set.processes.size() > processes)
    bytes += bytes_of(trace.set.processes.back().attributes);
  trace.bytes += bytes;
  bytes_ += bytes;
  trace.last = now_;
  trace.due = now_ + options_.settle;
  waiting_.emplace(trace.number, &trace);
  trace.index.emplace(span.id, trace.set.spans.size());
  trace.set.spans.push_back(std::move(span));
}

void LiveTraces::show(LiveTrace& trace, Why why) {
  show_(trace, why);
  trace.spans_shown = trace.set.spans.size();
}

void LiveTraces::settle(MonotonicTime now) {
  for (auto item = waiting_.begin(); item != waiting_.end();) {
    LiveTrace& trace = *item->second;
    bool done = false;
    if (now >= trace.due) {
      const bool complete = trace.is_complete();
      done = complete || now >= trace.last + options_.patience;
      if (done) show(trace, complete ? Why::settled : Why::incomplete);
      trace.due = trace.last + options_.patience;
    }
    item = done ? waiting_.erase(item) : std::next(item);
  }
}

void LiveTraces::finish() {
  for (const auto& [number, trace] : std::exchange(waiting_, {})) {
    show(*trace, trace->is_complete() ? Why::settled : Why::stopping);
  }
}

void LiveTraces::make_room() {
  while (bytes_ > options_.memory_bytes_max && !traces_in_order_.empty()) {
    LiveTrace& oldest = traces_in_order_.front();
    if (waiting_.erase(oldest.number) != 0) show(oldest, Why::no_room);
    bytes_ -= oldest.bytes;
    by_id_.erase(oldest.id);
    traces_in_order_.pop_front();
    ++dropped_;
  }
  bound_tables();
}

// The reader knows every resource that ever came; a trace has its own copy of those it needs.
void LiveTraces::bound_tables() {
  for (; processes_measured_ < traces_.processes.size(); ++processes_measured_) {
    table_bytes_ += 2 * bytes_of(traces_.processes[processes_measured_].attributes);
  }
  if (table_bytes_ < options_.memory_bytes_max / 4 && traces_.scopes.size() < kScopesKept) return;
  forget_tables();
  table_bytes_ = processes_measured_ = 0;
  for (LiveTrace& trace : traces_in_order_) {
    trace.processes.clear();
    trace.scopes.clear();
  }
}

}  // namespace spanwire::tools
