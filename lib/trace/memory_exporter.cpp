#include "spanwire/trace/memory_exporter.hpp"

namespace spanwire::trace {
namespace {

template <class Element, class Get>
std::vector<Element> elements(std::size_t size, Get get) {
  std::vector<Element> all;
  for (std::size_t i = 0; i < size; ++i) all.push_back(get(i));
  return all;
}

OwnedValue copy_of(const AttributeView& view) {
  switch (view.type()) {
    case ValueType::string:
      return std::string(view.text());
    case ValueType::boolean:
      return view.boolean();
    case ValueType::int64:
      return view.int64();
    case ValueType::real:
      return view.real();
    case ValueType::boolean_array:
      return elements<bool>(view.size(), [&](std::size_t i) { return view.boolean_at(i); });
    case ValueType::int64_array:
      return elements<std::int64_t>(view.size(), [&](std::size_t i) { return view.int64_at(i); });
    case ValueType::real_array:
      return elements<double>(view.size(), [&](std::size_t i) { return view.real_at(i); });
    case ValueType::string_array:
      break;
  }
  std::vector<std::string> all;
  for (const std::string_view text : view.strings()) all.emplace_back(text);
  return all;
}

template <class Range>
OwnedAttributes copy_all(const Range& attributes) {
  OwnedAttributes all;
  for (const AttributeView attribute : attributes) {
    all.emplace_back(std::string(attribute.key()), copy_of(attribute));
  }
  return all;
}

}  // namespace

SpanData::SpanData(const SpanRecordView& span)
    : context(span.trace_id(), span.span_id(), span.flags()),
      parent_span_id(span.parent_span_id()),
      parent_remote(span.parent_remote()),
      tracestate(span.tracestate()),
      name(span.name()),
      kind(span.kind()),
      start(span.start()),
      end(span.end()),
      status(span.status()),
      status_message(span.status_message()),
      scope(span.scope().name),
      scope_version(span.scope().version),
      attributes(copy_all(span.attributes())),
      dropped_attributes(span.dropped_attributes()),
      dropped_events(span.dropped_events()),
      dropped_links(span.dropped_links()) {
  for (const EventView event : span.events()) {
    events.push_back({std::string(event.name()), event.time(), copy_all(event.attributes()),
                      event.dropped_attributes()});
  }
  for (const LinkView link : span.links()) {
    links.push_back({link.context(), std::string(link.tracestate()), copy_all(link.attributes()),
                     link.dropped_attributes()});
  }
}

const OwnedValue* SpanData::attribute(std::string_view key) const noexcept {
  for (const auto& [name_of, value] : attributes) {
    if (name_of == key) return &value;
  }
  return nullptr;
}

void SpanStore::add(const SpanRecordView& span) {
  const std::scoped_lock lock(mutex_);
  spans_.emplace_back(span);
}

std::vector<SpanData> SpanStore::spans() const {
  const std::scoped_lock lock(mutex_);
  return spans_;
}

std::unique_ptr<SpanData> SpanStore::find(std::string_view name) const {
  const std::scoped_lock lock(mutex_);
  for (const SpanData& span : spans_) {
    if (span.name == name) return std::make_unique<SpanData>(span);
  }
  return nullptr;
}

std::size_t SpanStore::size() const {
  const std::scoped_lock lock(mutex_);
  return spans_.size();
}

void SpanStore::clear() {
  const std::scoped_lock lock(mutex_);
  spans_.clear();
}

ExportResult MemoryExporter::export_batch(std::span<const SpanRecordView> spans, MonotonicTime) {
  for (const SpanRecordView& span : spans) store_->add(span);
  return {spans.size(), {}};
}

std::unique_ptr<Exporter> MemoryExporter::for_child() const {
  // A store of its own: the inherited one may have been locked by a thread that is not here.
  return std::make_unique<MemoryExporter>(std::make_shared<SpanStore>());
}

}  // namespace spanwire::trace
