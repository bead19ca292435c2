#include "spanwire/wire/v1.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "spanwire/wire/endian.hpp"
#include "spanwire/wire/utf8.hpp"

namespace spanwire::wire {
namespace {

// Below, one copy is cheaper than a read call of its own.
constexpr std::size_t kReadInPlaceFrom = 4u << 10;
constexpr std::string_view kNoHeaders = "{}";

// Bytes that the head has at least, from as much of it as is there; the whole head's once both
// lengths are.
std::size_t head_bytes_known(ByteView bytes) noexcept {
  if (bytes.size() < 2) return 2;
  const std::size_t before_headers = 2u + load_big<std::uint16_t>(bytes.data()) + 2u;
  if (bytes.size() < before_headers) return before_headers;
  return before_headers + load_big<std::uint16_t>(bytes.data() + before_headers - 2) + 4u;
}

bool head_is_whole(ByteView bytes) noexcept {
  if (bytes.size() < 2) return false;
  const std::size_t before_headers = 2u + load_big<std::uint16_t>(bytes.data()) + 2u;
  if (bytes.size() < before_headers) return false;
  const std::size_t headers = load_big<std::uint16_t>(bytes.data() + before_headers - 2);
  return bytes.size() - before_headers >= headers + 4;
}

Errc damage_of(std::string_view path, std::size_t headers_bytes, std::size_t payload_bytes,
               const Limits& limits) noexcept {
  if (path.size() > limits.path_bytes_max) return Errc::path_too_long;
  if (!valid_utf8(path)) return Errc::path_not_utf8;
  if (headers_bytes > limits.header_block_bytes_max) return Errc::headers_too_long;
  return payload_bytes > limits.payload_bytes_max ? Errc::payload_too_long : Errc::ok;
}

bool fits(std::size_t head_bytes, std::size_t payload_bytes,
          std::size_t message_bytes_max) noexcept {
  return head_bytes <= message_bytes_max && payload_bytes <= message_bytes_max - head_bytes;
}

std::byte* store_bytes(std::byte* out, ByteView bytes) noexcept {
  if (!bytes.empty()) std::memcpy(out, bytes.data(), bytes.size());
  return out + bytes.size();
}

ByteView written_headers(ByteView headers) noexcept {
  return headers.empty() ? bytes_of(kNoHeaders) : headers;
}

void hand_over_head(InRequest& out, const RequestHead& head) noexcept {
  out.path = head.path;
  out.headers = head.headers;
  out.payload = {};
  out.damage = head.damage;
  out.block = nullptr;
  if (!out.owned.empty()) out.owned = Slice();
}

}  // namespace

Errc read_request_head(ByteView bytes, const Limits& limits, RequestHead& head) noexcept {
  if (bytes.size() < kV1LengthsBytes) return Errc::truncated;
  const std::size_t path_bytes = load_big<std::uint16_t>(bytes.data());
  if (bytes.size() - kV1LengthsBytes < path_bytes) return Errc::truncated;
  const std::byte* const at = bytes.data() + 2 + path_bytes;
  const std::size_t headers_bytes = load_big<std::uint16_t>(at);
  if (bytes.size() - kV1LengthsBytes - path_bytes < headers_bytes) return Errc::truncated;
  head.path = text_of(bytes.subspan(2, path_bytes));
  head.headers = ByteView(at + 2, headers_bytes);
  head.payload_bytes = load_big<std::uint32_t>(at + 2 + headers_bytes);
  head.head_bytes = kV1LengthsBytes + path_bytes + headers_bytes;
  head.damage = damage_of(head.path, headers_bytes, head.payload_bytes, limits);
  return Errc::ok;
}

Result<RequestHead> decode_request_head(ByteView bytes, const Limits& limits) noexcept {
  RequestHead head;
  if (const Errc code = read_request_head(bytes, limits, head); code != Errc::ok) return fail(code);
  return head;
}

Result<RequestView> decode_request(ByteView bytes, const Limits& limits) noexcept {
  SPANWIRE_TRY(const RequestHead head, decode_request_head(bytes, limits));
  if (head.damage != Errc::ok) return fail(head.damage);
  const ByteView payload = bytes.subspan(head.head_bytes);
  if (payload.size() < head.payload_bytes) return fail(Errc::truncated);
  if (payload.size() > head.payload_bytes) return fail(Errc::trailing_bytes);
  return RequestView{head.path, head.headers, payload};
}

std::size_t request_head_bytes(std::string_view path, ByteView headers) noexcept {
  return kV1LengthsBytes + path.size() + written_headers(headers).size();
}

std::size_t encode_request_head(std::string_view path, ByteView headers,
                                std::uint32_t payload_bytes, std::byte* out) noexcept {
  const std::byte* const start = out;
  const ByteView block = written_headers(headers);
  out = store_big(out, static_cast<std::uint16_t>(path.size()));
  out = store_bytes(out, bytes_of(path));
  out = store_big(out, static_cast<std::uint16_t>(block.size()));
  out = store_bytes(out, block);
  out = store_big(out, payload_bytes);
  return static_cast<std::size_t>(out - start);
}

Errc check_request(std::string_view path, ByteView headers, std::size_t payload_bytes,
                   const Limits& limits, std::size_t message_bytes_max) noexcept {
  if (path.size() > kV1PathBytesMax) return Errc::path_too_long;
  if (headers.size() > kHeaderBlockBytesMax) return Errc::headers_too_long;
  const Errc damage = damage_of(path, headers.size(), payload_bytes, limits);
  if (damage != Errc::ok) return damage;
  const std::size_t head_bytes = request_head_bytes(path, headers);
  const bool taken =
      fits(head_bytes, payload_bytes, message_bytes_max) && payload_bytes <= UINT32_MAX;
  return taken ? Errc::ok : Errc::payload_too_long;
}

Slice InRequest::take_payload() {
  if (!owned.empty()) return std::move(owned);
  if (payload.empty()) return {};
  if (block == nullptr) return Slice::copy_of(payload);
  block->retain();
  return Slice::adopt(block, payload.data(), payload.size());
}

void RequestDecoder::feed(ByteView bytes, Block* block) noexcept {
  SPANWIRE_ASSERT(input_.empty());
  input_ = bytes;
  block_ = block;
}

// `bytes` has the whole head.
RequestHead RequestDecoder::read_head(ByteView bytes) const noexcept {
  RequestHead head;
  static_cast<void>(read_request_head(bytes, limits_, head));
  const bool taken = fits(head.head_bytes, head.payload_bytes, message_bytes_max_);
  if (head.damage == Errc::ok && !taken) head.damage = Errc::payload_too_long;
  return head;
}

bool RequestDecoder::next(InRequest& out) {
  if (handed_over_) {
    head_ = Buffer();
    handed_over_ = false;
  }
  if (stage_ == Stage::skip && !pass_over()) return false;
  if (stage_ == Stage::payload) return go_on_with_payload(out);
  if (head_.size() != 0 || !head_is_whole(input_)) {
    if (!complete_head()) return false;
    handed_over_ = true;
    return begin_payload(out, read_head(head_.view()));
  }
  const RequestHead head = read_head(input_);
  if (head.damage == Errc::ok && input_.size() - head.head_bytes < head.payload_bytes) {
    head_.append(input_.first(head.head_bytes));
    handed_over_ = true;
    input_ = input_.subspan(head.head_bytes);
    return begin_payload(out, read_head(head_.view()));
  }
  input_ = input_.subspan(head.head_bytes);
  return begin_payload(out, head);
}

// Moves input to head_ until that holds the whole head.
bool RequestDecoder::complete_head() {
  while (!head_is_whole(head_.view())) {
    if (input_.empty()) return false;
    const std::size_t wanted = head_bytes_known(head_.view()) - head_.size();
    const std::size_t taken = std::min(wanted, input_.size());
    head_.append(input_.first(taken));
    input_ = input_.subspan(taken);
  }
  return true;
}

// The head is read and what it said about the payload is approved or refused.
bool RequestDecoder::begin_payload(InRequest& out, const RequestHead& head) {
  hand_over_head(out, head);
  if (head.damage != Errc::ok) {
    stage_ = Stage::skip;
    left_ = head.payload_bytes;
    pass_over();
    return true;
  }
  if (input_.size() >= head.payload_bytes) {
    out.payload = input_.first(head.payload_bytes);
    out.block = block_;
    input_ = input_.subspan(head.payload_bytes);
    return true;
  }
  handed_over_ = false;
  stage_ = Stage::payload;
  payload_bytes_ = left_ = head.payload_bytes;
  payload_ = Buffer(payload_bytes_);
  return go_on_with_payload(out);
}

bool RequestDecoder::go_on_with_payload(InRequest& out) {
  const std::size_t taken = std::min(left_, input_.size());
  if (taken != 0) {
    std::memcpy(payload_.data() + (payload_bytes_ - left_), input_.data(), taken);
    input_ = input_.subspan(taken);
    left_ -= taken;
  }
  if (left_ != 0) return false;
  hand_over_head(out, read_head(head_.view()));
  payload_.commit(payload_bytes_);
  out.owned = payload_.take();
  out.payload = out.owned.view();
  stage_ = Stage::head;
  handed_over_ = true;
  return true;
}

bool RequestDecoder::pass_over() noexcept {
  const std::size_t passed = std::min(left_, input_.size());
  input_ = input_.subspan(passed);
  left_ -= passed;
  if (left_ == 0) stage_ = Stage::head;
  return left_ == 0;
}

MutableByteView RequestDecoder::target() noexcept {
  if (stage_ != Stage::payload || !input_.empty() || left_ < kReadInPlaceFrom) return {};
  return {payload_.data() + (payload_bytes_ - left_), left_};
}

void RequestDecoder::filled(std::size_t bytes) noexcept {
  SPANWIRE_ASSERT(stage_ == Stage::payload && bytes <= left_);
  left_ -= bytes;
}

Errc RequestDecoder::finish() const noexcept {
  return in_message() || !input_.empty() ? Errc::truncated : Errc::ok;
}

std::string unknown_endpoint_text(std::string_view path) {
  return std::string("Server unavailable: unknown endpoint ").append(path);
}

std::string_view ack_text(Errc damage) noexcept {
  return damage == Errc::path_not_utf8 ? kAckBadPath : kAckTooLong;
}

Acknowledgement classify_ack(std::string_view text) noexcept {
  if (text.empty()) return Acknowledgement::accepted;
  if (text.starts_with(kOverloadedPrefix)) return Acknowledgement::overloaded;
  if (text.starts_with(kUnavailablePrefix)) return Acknowledgement::unavailable;
  return Acknowledgement::unknown;
}

std::size_t encode_reply(std::string_view text, std::byte* out) noexcept {
  SPANWIRE_ASSERT(text.size() <= UINT32_MAX);
  store_bytes(store_big(out, static_cast<std::uint32_t>(text.size())), bytes_of(text));
  return reply_bytes(text);
}

void AckDecoder::feed(ByteView bytes) noexcept {
  SPANWIRE_ASSERT(input_.empty() || error_ != Errc::ok);
  input_ = bytes;
}

bool AckDecoder::next(std::string_view& text) {
  if (handed_over_) {
    kept_ = Buffer();
    handed_over_ = false;
  }
  while (error_ == Errc::ok) {
    const bool in_place = kept_.size() == 0;
    const ByteView have = in_place ? input_ : kept_.view();
    std::size_t wanted = 4;
    if (have.size() >= 4) {
      const std::size_t text_bytes = load_big<std::uint32_t>(have.data());
      if (text_bytes > kV1ReplyBytesMax) {
        error_ = Errc::payload_too_long;
        return false;
      }
      wanted += text_bytes;
      if (have.size() >= wanted) {
        text = text_of(have.subspan(4, text_bytes));
        if (in_place) input_ = input_.subspan(wanted);
        handed_over_ = !in_place;
        return true;
      }
    }
    if (input_.empty()) return false;
    const std::size_t taken = std::min(wanted - kept_.size(), input_.size());
    kept_.append(input_.first(taken));
    input_ = input_.subspan(taken);
  }
  return false;
}

Errc AckDecoder::finish() const noexcept {
  if (error_ != Errc::ok) return error_;
  return !input_.empty() || (kept_.size() != 0 && !handed_over_) ? Errc::truncated : Errc::ok;
}

}  // namespace spanwire::wire
