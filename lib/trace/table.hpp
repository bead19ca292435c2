// Tables in the ring: many spans as one entry, in which what they share is stored once.
//
//   entry  = RecordHeader | TableHead | TableColumn * columns | items of each column | row * rows
//   row    = TableRow | SpanId * columns
//
// Written on the serving thread, unfolded into ordinary records on the export thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "lib/trace/core.hpp"
#include "lib/trace/thread_state.hpp"
#include "spanwire/trace/recorder.hpp"
#include "spanwire/trace/span_record.hpp"

namespace spanwire::trace::detail {

// An entry at most: the smallest ring holds several.
inline constexpr std::size_t kTableBytesMax = 16u << 10;

struct TableHead {
  std::uint32_t columns;
  std::uint32_t rows;
  std::uint32_t rows_at;  // from the beginning of the entry, as items_at
  std::uint32_t row_bytes;
};

struct TableColumn {
  std::int64_t start_ns;
  std::int64_t end_ns;
  std::uint32_t items_at;
  std::uint32_t items_bytes;
  std::uint32_t attributes;
  std::uint32_t unused;
};

struct TableRow {
  SpanContext parent;
  SpanContext previous;
  std::int64_t start_ns;
};

// One thread; nothing else is written to the ring between its first add() and publish().
class TableWriter {
 public:
  TableWriter(Core& core, ThreadState& state, const Scope& scope,
              std::span<const SpanColumn> columns) noexcept;

  // False, with everything so far published, for a row that a table cannot hold.
  bool add(const SpanRow& row) noexcept;
  void publish() noexcept;

 private:
  enum class Begun : std::uint8_t { yes, ring_full, unusable };
  Begun begin() noexcept;
  bool write_columns() noexcept;

  Core& core_;
  ThreadState& state_;
  const Scope& scope_;
  const std::span<const SpanColumn> columns_;
  std::size_t items_at_ = 0;
  std::size_t head_bytes_ = 0;
  std::size_t row_bytes_ = 0;
  bool usable_ = true;
  std::byte* entry_ = nullptr;
  std::byte* at_ = nullptr;
  std::uint32_t rows_ = 0;
};

// The spans of a row one by one, for those that a table cannot hold.
WholeSpan span_of_row(std::span<const SpanColumn> columns, const SpanRow& row, std::size_t column,
                      Link& link, std::span<const Attribute>& attributes) noexcept;

// An entry of the ring.
class TableView {
 public:
  explicit TableView(const std::byte* entry) noexcept
      : entry_(entry), head_(*reinterpret_cast<const TableHead*>(entry + sizeof(RecordHeader))) {}

  std::size_t spans() const noexcept { return std::size_t{head_.rows} * head_.columns; }
  // The room that span `index` needs as a record.
  std::size_t record_bytes(std::size_t index) const noexcept;
  SpanRecordView unfold(std::size_t index, std::byte* to,
                        std::int64_t wall_offset_ns) const noexcept;

 private:
  const RecordHeader& header() const noexcept {
    return *reinterpret_cast<const RecordHeader*>(entry_);
  }
  const TableColumn& column(std::size_t index) const noexcept;
  const TableRow& row(std::size_t index) const noexcept;

  const std::byte* entry_;
  const TableHead& head_;
};

}  // namespace spanwire::trace::detail
