#include "spanwire/wire/frame_reader.hpp"

#include <algorithm>
#include <cstring>

#include "lib/wire/frame_fields.hpp"

namespace spanwire::wire {
namespace {

// Below, one copy is cheaper than a read call of its own.
constexpr std::size_t kReadInPlaceFrom = 4u << 10;

}  // namespace

Slice InFrame::slice(ByteView part) const {
  if (part.empty()) return {};
  if (!owned.empty()) {
    return owned.part(static_cast<std::size_t>(part.data() - owned.data()), part.size());
  }
  if (block == nullptr) return Slice::copy_of(part);
  block->retain();
  return Slice::adopt(block, part.data(), part.size());
}

void FrameReader::feed(ByteView bytes, Block* block) noexcept {
  SPANWIRE_ASSERT(input_.empty() || error_ != Errc::ok);
  input_ = bytes;
  block_ = block;
}

bool FrameReader::next(InFrame& out) {
  if (header_have_ == 0 && !in_body_ && input_.size() >= kFrameHeaderBytes) [[likely]] {
    const FrameHeader header = load_frame_header(input_.data());
    const std::size_t left = input_.size() - kFrameHeaderBytes;
    if (reserved_bits(input_.data()) == 0 && header.body_bytes <= std::min(left, body_bytes_max_) &&
        (header.flags & kFlagContinued) == 0 && error_ == Errc::ok) [[likely]] {
      hand_over_in_place(out, header);
      return true;
    }
  }
  return next_slowly(out);
}

// The whole frame is at the front of the input.
void FrameReader::hand_over_in_place(InFrame& out, const FrameHeader& header) noexcept {
  out.header = header;
  out.body = input_.subspan(kFrameHeaderBytes, header.body_bytes);
  out.placed = false;
  out.block = block_;
  if (!out.owned.empty()) out.owned = Slice();
  input_ = input_.subspan(kFrameHeaderBytes + header.body_bytes);
}

bool FrameReader::next_slowly(InFrame& out) {
  if (error_ != Errc::ok) return false;
  if (in_body_) return go_on_with_body(out);
  if (header_have_ == 0 && input_.size() >= kFrameHeaderBytes) {
    if (!begin_frame(input_.data())) return false;
    input_ = input_.subspan(kFrameHeaderBytes);
    return begin_body(out);
  }
  const std::size_t taken = std::min(input_.size(), kFrameHeaderBytes - header_have_);
  if (taken != 0) std::memcpy(header_bytes_.data() + header_have_, input_.data(), taken);
  input_ = input_.subspan(taken);
  header_have_ += taken;
  if (header_have_ < kFrameHeaderBytes) return false;
  header_have_ = 0;
  return begin_frame(header_bytes_.data()) && begin_body(out);
}

bool FrameReader::begin_frame(const std::byte* header) noexcept {
  header_ = load_frame_header(header);
  if (reserved_bits(header) != 0) {
    error_ = Errc::reserved_bits_set;
  } else if (header_.body_bytes > body_bytes_max_) {
    error_ = Errc::frame_too_long;
  }
  return error_ == Errc::ok;
}

bool FrameReader::begin_body(InFrame& out) {
  MutableByteView place;
  if ((header_.flags & kFlagContinued) != 0 && placer_ != nullptr) place = placer_->place(header_);
  placed_ = !place.empty();
  SPANWIRE_ASSERT(!placed_ || place.size() == header_.body_bytes);
  if (!placed_ && input_.size() >= header_.body_bytes) {
    out.header = header_;
    out.body = input_.first(header_.body_bytes);
    out.placed = false;
    out.block = block_;
    if (!out.owned.empty()) out.owned = Slice();
    input_ = input_.subspan(header_.body_bytes);
    return true;
  }
  if (!placed_) {
    own_.clear();
    place = own_.reserve(header_.body_bytes).first(header_.body_bytes);
  }
  body_ = place;
  body_have_ = 0;
  in_body_ = true;
  return go_on_with_body(out);
}

bool FrameReader::go_on_with_body(InFrame& out) noexcept {
  const std::size_t taken = std::min(input_.size(), body_.size() - body_have_);
  if (taken != 0) std::memcpy(body_.data() + body_have_, input_.data(), taken);
  input_ = input_.subspan(taken);
  body_have_ += taken;
  if (body_have_ < body_.size()) return false;
  hand_over_own(out);
  return true;
}

void FrameReader::hand_over_own(InFrame& out) noexcept {
  out.header = header_;
  out.placed = placed_;
  out.block = nullptr;
  if (placed_) {
    out.owned = Slice();
    out.body = body_;
  } else {
    own_.commit(body_.size());
    out.owned = own_.take();
    out.body = out.owned.view();
  }
  body_ = {};
  in_body_ = false;
}

MutableByteView FrameReader::target() noexcept {
  if (!in_body_ || !input_.empty() || error_ != Errc::ok) return {};
  const MutableByteView rest = body_.subspan(body_have_);
  return rest.size() >= kReadInPlaceFrom ? rest : MutableByteView();
}

void FrameReader::filled(std::size_t bytes) noexcept {
  SPANWIRE_ASSERT(in_body_ && bytes <= body_.size() - body_have_);
  body_have_ += bytes;
}

Errc FrameReader::finish() const noexcept {
  if (error_ != Errc::ok) return error_;
  return in_frame() || !input_.empty() ? Errc::truncated : Errc::ok;
}

}  // namespace spanwire::wire
