// Spans of a test, kept after their export.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "spanwire/trace/exporter.hpp"
#include "spanwire/trace/provider.hpp"

namespace spanwire::rpc {

struct CollectedSpan {
  std::string name;
  trace::TraceId trace_id;
  trace::SpanId span_id;
  trace::SpanId parent_id;
  std::uint8_t flags = 0;
  trace::SpanKind kind{};
  trace::StatusCode status{};
  std::string tracestate;
  std::map<std::string, std::string> attributes;  // texts and integers
  std::vector<std::string> events;
  std::map<std::string, std::string> event_attributes;  // of all of them
  trace::Scope scope;
  std::vector<trace::SpanId> links;
};

class SpanStore {
 public:
  void add(CollectedSpan span) {
    const std::lock_guard lock(mutex_);
    spans_.push_back(std::move(span));
  }
  std::vector<CollectedSpan> take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(spans_, {});
  }

 private:
  std::mutex mutex_;
  std::vector<CollectedSpan> spans_;
};

class CollectingExporter final : public trace::Exporter {
 public:
  explicit CollectingExporter(std::shared_ptr<SpanStore> store) : store_(std::move(store)) {}
  std::string_view name() const noexcept override { return "collecting"; }
  trace::ExportResult export_batch(std::span<const trace::SpanRecordView> spans,
                                   MonotonicTime /*by*/) override {
    for (const trace::SpanRecordView& span : spans) store_->add(copy(span));
    return {spans.size(), Error()};
  }

 private:
  static CollectedSpan copy(const trace::SpanRecordView& span) {
    CollectedSpan copied;
    copied.name = span.name();
    copied.trace_id = span.trace_id();
    copied.span_id = span.span_id();
    copied.parent_id = span.parent_span_id();
    copied.flags = span.flags();
    copied.kind = span.kind();
    copied.status = span.status();
    copied.tracestate = span.tracestate();
    for (const trace::AttributeView attribute : span.attributes()) {
      copied.attributes[std::string(attribute.key())] = attribute.type() == trace::ValueType::int64
                                                            ? std::to_string(attribute.int64())
                                                            : std::string(attribute.text());
    }
    copied.scope = span.scope();
    for (const trace::EventView event : span.events()) {
      copied.events.emplace_back(event.name());
      for (const trace::AttributeView attribute : event.attributes())
        copied.event_attributes[std::string(attribute.key())] = attribute.text();
    }
    for (const trace::LinkView link : span.links())
      copied.links.push_back(link.context().span_id());
    return copied;
  }
  std::shared_ptr<SpanStore> store_;
};

}  // namespace spanwire::rpc
