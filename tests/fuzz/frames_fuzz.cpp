// v2 frames in any split, and every body: the first byte says how the input is cut, the rest is the
// input.  Whole and cut, the same frames come out; bodies that decode are written back.
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "spanwire/wire/bodies.hpp"
#include "spanwire/wire/frame_reader.hpp"
#include "spanwire/wire/multipart.hpp"
#include "spanwire/wire/v1.hpp"

namespace {

using namespace spanwire;
using namespace spanwire::wire;

void require(bool holds) {
  if (!holds) std::abort();
}

struct Seen {
  std::uint32_t stream_id;
  std::uint8_t type;
  std::uint8_t flags;
  std::string body;
  bool operator==(const Seen&) const = default;
};

std::vector<Seen> frames(std::string_view bytes, std::size_t piece, Errc& end) {
  FrameReader reader;
  InFrame in;
  std::vector<Seen> seen;
  while (!bytes.empty()) {
    // A copy that goes away: what comes later must not point into it.
    const std::string copy(bytes.substr(0, piece));
    bytes.remove_prefix(copy.size());
    piece = piece * 7 % 61 + 1;
    reader.feed(bytes_of(copy));
    while (reader.next(in)) {
      require(in.body.size() == in.header.body_bytes);
      require(text_of(in.slice(in.body)) == text_of(in.body));
      seen.push_back(
          {in.header.stream_id, in.header.type, in.header.flags, std::string(text_of(in.body))});
    }
  }
  end = reader.finish();
  return seen;
}

void check_hello(ByteView body) {
  const Result<Hello> hello = decode_hello(body);
  if (!hello) return;
  std::array<std::byte, kHelloBytes> back;
  encode_hello(*hello, back.data());
  require(std::memcmp(back.data(), body.data(), kHelloBytes) == 0);
}

void check_reply(ByteView body) {
  const Result<ReplyView> head = decode_reply_head(body);
  const Result<ReplyView> reply = decode_reply(body);
  require(!reply || head);
  if (!reply || reply->fixed.message.size() > kReplyMessageBytesMax) return;
  std::string fixed(reply_fixed_bytes(reply->fixed.message), '\0');
  encode_reply_fixed(reply->fixed, reinterpret_cast<std::byte*>(fixed.data()));
  require(text_of(body).starts_with(fixed));
  require(reply->head_bytes + reply->payload.size() == body.size());
}

void check_goaway(ByteView body) {
  const Result<Goaway> goaway = decode_goaway(body);
  if (!goaway) return;
  std::string back(kGoawayBytes + goaway->message.size(), '\0');
  encode_goaway(*goaway, reinterpret_cast<std::byte*>(back.data()));
  require(back == text_of(body));
}

// The same bytes as each kind of body, whatever their type says.
void check_bodies(ByteView body) {
  check_hello(body);
  check_reply(body);
  check_goaway(body);
  if (const Result<std::uint32_t> credit = decode_window(body)) {
    require(std::memcmp(encode_window(*credit).data(), body.data(), kWindowBytes) == 0);
  }
  if (const Result<std::uint64_t> token = decode_ping(body)) {
    require(std::memcmp(encode_ping(*token).data(), body.data(), kPingBytes) == 0);
  }
  if (const Result<Errc> reason = decode_cancel(body)) require(*reason != Errc::ok);
  if (const Result<RequestView> request = decode_request(body)) {
    require(kV1LengthsBytes + request->path.size() + request->headers.size() +
                request->payload.size() ==
            body.size());
  }
}

// The frame as a multipart message of up to five parts, cut where its own bytes say.
void check_parts(const Seen& frame) {
  FrameHeader header;
  header.body_bytes = static_cast<std::uint32_t>(frame.body.size());
  header.stream_id = frame.stream_id;
  header.type = frame.type;
  header.flags = frame.flags;
  std::array<std::byte, kFrameHeaderBytes> control;
  encode_frame_header(header, control.data());
  require(decode_frame_header(control).has_value());
  check_frame_header(header);
  std::vector<Slice> parts = {Slice::copy_of(ByteView(control))};
  std::string_view rest(frame.body);
  while (!rest.empty() && parts.size() < kPartsMax) {
    const std::size_t size =
        std::min<std::size_t>(rest.size(), static_cast<unsigned char>(rest[0]));
    parts.push_back(Slice::copy_of(rest.substr(0, size)));
    rest.remove_prefix(size);
  }
  const Result<InParts> in = decode_parts(parts);
  require(rest.empty() || !in);
  if (in && in->payload != nullptr) require(in->payload->size() <= frame.body.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  match_preface(bytes_of(bytes));
  check_bodies(bytes_of(bytes));
  Errc whole_end = Errc::ok;
  Errc cut_end = Errc::ok;
  const std::vector<Seen> whole = frames(bytes, size, whole_end);
  require(whole == frames(bytes, data[0] % 64u + 1, cut_end) && whole_end == cut_end);
  for (const Seen& frame : whole) {
    check_bodies(bytes_of(frame.body));
    check_parts(frame);
  }
  return 0;
}
