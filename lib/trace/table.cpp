#include "lib/trace/table.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "lib/trace/direct_writer.hpp"
#include "lib/trace/recording.hpp"
#include "lib/trace/repeats.hpp"

namespace spanwire::trace::detail {
namespace {

constexpr std::size_t kLinkBytes = sizeof(Item) + sizeof(LinkHead);
constexpr std::size_t kColumnsAt = sizeof(RecordHeader) + sizeof(TableHead);

const SpanId* ids_of(const TableRow& row) noexcept {
  return reinterpret_cast<const SpanId*>(&row + 1);
}

// What the spans of a column share; 0 for what needs a closer look.
std::size_t write_items(std::byte* items, const SpanColumn& column, const Core& core) noexcept {
  if (column.attributes.size() > core.limits().attributes_max) return 0;
  const std::byte* const end = direct_end(items);
  std::byte* at = put_name(items, end, column.name);
  std::uint8_t repeats = 0;  // remove_repeats() looks at all
  if (at != nullptr) at = put_attributes(at, end, column.attributes, core, repeats);
  return at != nullptr ? static_cast<std::size_t>(at - items) : 0;
}

}  // namespace

TableWriter::TableWriter(Core& core, ThreadState& state, const Scope& scope,
                         std::span<const SpanColumn> columns) noexcept
    : core_(core), state_(state), scope_(scope), columns_(columns) {
  items_at_ = kColumnsAt + columns.size() * sizeof(TableColumn);
  row_bytes_ = sizeof(TableRow) + columns.size() * sizeof(SpanId);
  usable_ = core.limits().links_max != 0 && may_write_directly(core.limits());
}

bool TableWriter::write_columns() noexcept {
  RecordHeader header{};
  header.entry_type = EntryType::table;
  header.kind = static_cast<std::uint8_t>(SpanKind::internal);
  header.scope = &scope_;
  std::memcpy(entry_, &header, sizeof header);
  auto* column = reinterpret_cast<TableColumn*>(entry_ + kColumnsAt);
  head_bytes_ = items_at_;
  for (const SpanColumn& from : columns_) {
    if (head_bytes_ + kDirectBytesMax > kTableBytesMax) return false;
    const std::size_t bytes = write_items(entry_ + head_bytes_, from, core_);
    if (bytes == 0) return false;
    const std::size_t repeated = remove_repeats(entry_ + head_bytes_, bytes);
    *column++ = {ns_of(from.start),
                 ns_of(from.end),
                 static_cast<std::uint32_t>(head_bytes_),
                 static_cast<std::uint32_t>(bytes),
                 static_cast<std::uint32_t>(from.attributes.size() - repeated),
                 0};
    head_bytes_ += bytes;
  }
  return head_bytes_ + row_bytes_ <= kTableBytesMax;
}

TableWriter::Begun TableWriter::begin() noexcept {
  entry_ = state_.ring.reserve(kTableBytesMax);
  if (entry_ == nullptr) return Begun::ring_full;
  if (!write_columns()) {
    usable_ = false;
    entry_ = nullptr;
    return Begun::unusable;
  }
  at_ = entry_ + head_bytes_;
  rows_ = 0;
  return Begun::yes;
}

bool TableWriter::add(const SpanRow& row) noexcept {
  if (!usable_ || !row.tracestate.empty()) {
    publish();
    return false;
  }
  if (entry_ != nullptr && static_cast<std::size_t>(at_ - entry_) + row_bytes_ > kTableBytesMax) {
    publish();
  }
  const Begun begun = entry_ != nullptr ? Begun::yes : begin();
  if (begun == Begun::unusable) return false;
  if (begun == Begun::ring_full) {
    count_lost(state_, LossReason::ring_full, columns_.size());
    return true;
  }
  if (!core_.enter_queue(columns_.size())) {
    count_lost(state_, LossReason::queue_full, columns_.size());
    return true;
  }
  const TableRow head{row.parent, row.previous, ns_of(row.start)};
  std::memcpy(at_, &head, sizeof head);
  std::memcpy(at_ + sizeof head, row.ids.data(), columns_.size() * sizeof(SpanId));
  at_ += row_bytes_;
  ++rows_;
  return true;
}

void TableWriter::publish() noexcept {
  if (entry_ == nullptr) return;
  if (rows_ == 0) {
    entry_ = nullptr;
    return;
  }
  const auto bytes = static_cast<std::uint32_t>(at_ - entry_);
  auto* header = reinterpret_cast<RecordHeader*>(entry_);
  header->entry_bytes = bytes;
  const TableHead head{static_cast<std::uint32_t>(columns_.size()), rows_,
                       static_cast<std::uint32_t>(head_bytes_),
                       static_cast<std::uint32_t>(row_bytes_)};
  std::memcpy(entry_ + sizeof(RecordHeader), &head, sizeof head);
  publish_entry(core_, state_, std::exchange(entry_, nullptr), bytes, rows_ * columns_.size());
}

WholeSpan span_of_row(std::span<const SpanColumn> columns, const SpanRow& row, std::size_t column,
                      Link& link, std::span<const Attribute>& attributes) noexcept {
  const SpanColumn& from = columns[column];
  const TraceId& trace_id = row.parent.trace_id();
  attributes = from.attributes;
  link.context =
      column == 0 ? row.previous : SpanContext(trace_id, row.ids[column - 1], row.parent.flags());
  WholeSpan span;
  span.context = SpanContext(trace_id, row.ids[column], row.parent.flags());
  span.parent = row.parent.span_id();
  span.parent_remote = row.parent.remote();
  span.name = from.name;
  span.start = column == 0 && row.start != MonotonicTime{} ? row.start : from.start;
  span.end = from.end;
  span.attributes = {&attributes, 1};
  span.tracestate = row.tracestate;
  if (link.context.valid()) span.links = {&link, 1};
  return span;
}

// ---- On the export thread

const TableColumn& TableView::column(std::size_t index) const noexcept {
  return reinterpret_cast<const TableColumn*>(entry_ + kColumnsAt)[index % head_.columns];
}

const TableRow& TableView::row(std::size_t index) const noexcept {
  const std::size_t offset = head_.rows_at + index / head_.columns * head_.row_bytes;
  return *reinterpret_cast<const TableRow*>(entry_ + offset);
}

std::size_t TableView::record_bytes(std::size_t index) const noexcept {
  return sizeof(RecordHeader) + column(index).items_bytes + kLinkBytes;
}

SpanRecordView TableView::unfold(std::size_t index, std::byte* to,
                                 std::int64_t wall_offset_ns) const noexcept {
  const TableColumn& from = column(index);
  const TableRow& of = row(index);
  const std::size_t at = index % head_.columns;
  const SpanId* ids = ids_of(of);
  std::byte* items = to + sizeof(RecordHeader);
  std::memcpy(items, entry_ + from.items_at, from.items_bytes);
  const SpanContext link =
      at == 0 ? of.previous : SpanContext(of.parent.trace_id(), ids[at - 1], of.parent.flags());
  const SpanContext own(of.parent.trace_id(), ids[at], of.parent.flags());
  std::byte* end = items + from.items_bytes;
  if (link.valid()) end = put_link(end, end + kLinkBytes, {link, {}, {}}, own);

  RecordHeader record = header();
  record.entry_type = EntryType::record;
  record.entry_bytes = static_cast<std::uint32_t>(header().entry_bytes / spans());
  record.flags = of.parent.flags();
  record.trace_id = of.parent.trace_id();
  record.span_id = ids[at];
  record.parent_span_id = of.parent.span_id();
  record.parent_remote = of.parent.remote() ? 1 : 0;
  record.start_ns = at == 0 && of.start_ns != 0 ? of.start_ns : from.start_ns;
  record.end_ns = std::max(from.end_ns, record.start_ns);
  record.items_bytes = static_cast<std::uint32_t>(end - items);
  record.name_at = 0;
  record.status_at = record.tracestate_at = kNoItem;
  record.attributes = static_cast<std::uint16_t>(from.attributes);
  record.links = link.valid() ? 1 : 0;
  std::memcpy(to, &record, sizeof record);
  return {reinterpret_cast<const RecordHeader*>(to), items, wall_offset_ns};
}

}  // namespace spanwire::trace::detail
