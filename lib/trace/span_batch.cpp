#include "lib/trace/span_batch.hpp"

#include <cstring>

namespace spanwire::trace::detail {
namespace {

constexpr std::size_t kPiece = 64u << 10;

}  // namespace

std::byte* SpanBatch::room(std::size_t bytes) {
  // Never split over two pieces: what does not fit begins the next one.
  if (unfolded_bytes / kPiece != (unfolded_bytes + bytes - 1) / kPiece) {
    unfolded_bytes = (unfolded_bytes / kPiece + 1) * kPiece;
  }
  const std::size_t piece = unfolded_bytes / kPiece;
  if (piece == unfolded.size()) unfolded.push_back(std::make_unique<std::byte[]>(kPiece));
  std::byte* to = unfolded[piece].get() + unfolded_bytes % kPiece;
  unfolded_bytes += bytes;
  return to;
}

BatchCopy::BatchCopy(std::span<const SpanRecordView> spans) {
  for (const SpanRecordView& span : spans) {
    bytes_ += sizeof(RecordHeader) + padded(span.header_->items_bytes);
  }
  memory_ = std::make_unique_for_overwrite<std::byte[]>(bytes_);
  spans_.reserve(spans.size());
  std::byte* to = memory_.get();
  for (const SpanRecordView& span : spans) {
    const auto* header = reinterpret_cast<const RecordHeader*>(to);
    std::memcpy(to, span.header_, sizeof(RecordHeader));
    to += sizeof(RecordHeader);
    std::memcpy(to, span.items_, span.header_->items_bytes);
    spans_.emplace_back(header, to, span.wall_offset_ns_);
    to += padded(span.header_->items_bytes);
  }
}

}  // namespace spanwire::trace::detail
