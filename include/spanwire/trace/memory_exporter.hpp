// MemoryExporter: keeps ended spans as plain values, for tests and for looking at.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "spanwire/trace/exporter.hpp"

namespace spanwire::trace {

using OwnedValue = std::variant<std::string, bool, std::int64_t, double, std::vector<std::string>,
                                std::vector<bool>, std::vector<std::int64_t>, std::vector<double>>;
using OwnedAttributes = std::vector<std::pair<std::string, OwnedValue>>;

// A copy of an ended span.
struct SpanData {
  struct Event {
    std::string name;
    WallTime time;
    OwnedAttributes attributes;
    std::uint32_t dropped_attributes = 0;
  };
  struct Link {
    SpanContext context;
    std::string tracestate;
    OwnedAttributes attributes;
    std::uint32_t dropped_attributes = 0;
  };

  explicit SpanData(const SpanRecordView& span);
  // Null when absent.
  const OwnedValue* attribute(std::string_view key) const noexcept;

  SpanContext context;
  SpanId parent_span_id;
  bool parent_remote = false;
  std::string tracestate;
  std::string name;
  SpanKind kind = SpanKind::internal;
  WallTime start;
  WallTime end;
  StatusCode status = StatusCode::unset;
  std::string status_message;
  std::string scope;
  std::string scope_version;
  OwnedAttributes attributes;
  std::vector<Event> events;
  std::vector<Link> links;
  std::uint32_t dropped_attributes = 0;
  std::uint32_t dropped_events = 0;
  std::uint32_t dropped_links = 0;
};

// Shared between the exporter and whoever looks.  Safe from any thread.  Grows without bound.
class SpanStore {
 public:
  void add(const SpanRecordView& span);
  std::vector<SpanData> spans() const;
  // Null when there is none of that name; else a copy of the first one.
  std::unique_ptr<SpanData> find(std::string_view name) const;
  std::size_t size() const;
  void clear();

 private:
  mutable std::mutex mutex_;
  std::vector<SpanData> spans_;
};

class MemoryExporter final : public Exporter {
 public:
  explicit MemoryExporter(std::shared_ptr<SpanStore> store) noexcept : store_(std::move(store)) {}

  std::string_view name() const noexcept override { return "memory"; }
  ExportResult export_batch(std::span<const SpanRecordView> spans, MonotonicTime deadline) override;
  std::unique_ptr<Exporter> for_child() const override;

 private:
  std::shared_ptr<SpanStore> store_;
};

}  // namespace spanwire::trace
