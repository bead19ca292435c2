// Wire v1 in any split: the first byte says how the input is cut, the rest is the input.  Whole and
// cut, the same requests and replies come out; what came out is written back to the same bytes.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "spanwire/wire/v1.hpp"

namespace {

using spanwire::bytes_of;
using spanwire::Errc;
using spanwire::text_of;
using namespace spanwire::wire;

void require(bool holds) {
  if (!holds) std::abort();
}

Limits small_limits() {
  Limits limits;
  limits.path_bytes_max = 200;
  limits.header_block_bytes_max = 200;
  limits.payload_bytes_max = 10'000;
  return limits;
}

struct Seen {
  std::string path;
  std::string headers;
  std::string payload;
  Errc damage;
  bool operator==(const Seen&) const = default;
};

template <class Take>
void in_pieces(std::string_view bytes, std::size_t piece, Take take) {
  while (!bytes.empty()) {
    // A copy that goes away: what comes later must not point into it.
    const std::string copy(bytes.substr(0, piece));
    take(copy);
    bytes.remove_prefix(copy.size());
    piece = piece * 7 % 61 + 1;
  }
}

std::vector<Seen> requests(std::string_view bytes, std::size_t piece, Errc& end) {
  RequestDecoder decoder(small_limits());
  std::vector<Seen> seen;
  InRequest in;
  in_pieces(bytes, piece, [&](const std::string& copy) {
    decoder.feed(bytes_of(copy));
    while (decoder.next(in)) {
      seen.push_back({std::string(in.path), std::string(text_of(in.headers)),
                      std::string(text_of(in.payload)), in.damage});
    }
  });
  end = decoder.finish();
  return seen;
}

std::vector<std::string> replies(std::string_view bytes, std::size_t piece, Errc& end) {
  AckDecoder decoder;
  std::vector<std::string> seen;
  in_pieces(bytes, piece, [&](const std::string& copy) {
    decoder.feed(bytes_of(copy));
    for (std::string_view text; decoder.next(text);) {
      classify_ack(text);
      seen.emplace_back(text);
    }
  });
  end = decoder.finish();
  return seen;
}

void write_back(const std::vector<Seen>& seen, std::string_view bytes) {
  for (const Seen& one : seen) {
    if (one.damage != Errc::ok) return;
    // No block at all is written as `{}`: not the same bytes.
    if (one.headers.empty()) return;
    require(check_request(one.path, bytes_of(one.headers), one.payload.size(), small_limits()) ==
            Errc::ok);
    std::string head(request_head_bytes(one.path, bytes_of(one.headers)), '\0');
    encode_request_head(one.path, bytes_of(one.headers),
                        static_cast<std::uint32_t>(one.payload.size()),
                        reinterpret_cast<std::byte*>(head.data()));
    const std::string message = head + one.payload;
    require(bytes.starts_with(message));
    const auto whole = decode_request(bytes_of(bytes.substr(0, message.size())), small_limits());
    require(whole && whole->path == one.path);
    bytes.remove_prefix(message.size());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t piece = data[0] % 64u + 1;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  Errc whole_end = Errc::ok;
  Errc cut_end = Errc::ok;
  const std::vector<Seen> whole = requests(bytes, size, whole_end);
  require(whole == requests(bytes, piece, cut_end) && whole_end == cut_end);
  write_back(whole, bytes);
  require(replies(bytes, size, whole_end) == replies(bytes, piece, cut_end));
  require(whole_end == cut_end);
  return 0;
}
