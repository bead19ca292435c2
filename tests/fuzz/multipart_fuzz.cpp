// Multipart messages: each part is a byte for its size (the last one is what is left) and its
// bytes. What decodes is laid out again and is the same message.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "spanwire/wire/multipart.hpp"

namespace {

using namespace spanwire;
using namespace spanwire::wire;

// More than any message has, and more than a link keeps.
constexpr std::size_t kPartsSeen = 12;

void require(bool holds) {
  if (!holds) std::abort();
}

std::vector<Slice> parts_of(std::string_view bytes) {
  std::vector<Slice> parts;
  while (!bytes.empty() && parts.size() < kPartsSeen) {
    std::size_t size = static_cast<unsigned char>(bytes[0]);
    bytes.remove_prefix(1);
    if (size > bytes.size()) size = bytes.size();
    parts.push_back(Slice::copy_of(bytes.substr(0, size)));
    bytes.remove_prefix(size);
  }
  return parts;
}

ByteView view(const Slice* part) { return part != nullptr ? part->view() : ByteView(); }

void check_laid_out_again(const InParts& in, const std::vector<Slice>& parts) {
  OutFrame frame;
  frame.header = in.header;
  frame.body_total = in.body_total;
  frame.first = view(in.first);
  frame.headers = view(in.headers);
  if (in.payload != nullptr) frame.payload = *in.payload;
  OutParts out;
  lay_out_parts(frame, out);
  // A body of no bytes may have had no part.
  require(out.count == parts.size() ||
          (out.count == parts.size() + 1 && out.parts[out.count - 1].empty()));
  for (std::size_t i = 0; i < parts.size(); ++i) require(text_of(out.parts[i]) == parts[i].text());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::vector<Slice> parts = parts_of({reinterpret_cast<const char*>(data), size});
  std::vector<Slice> given = parts;
  const Result<InParts> in = decode_parts(given);
  if (in) {
    const bool in_pieces = (in->header.flags & kFlagPieces) != 0;
    require(!is_farewell(parts[0]) || parts.size() <= (in_pieces ? 3u : 2u));
    require(is_request(parts[0]) ==
            (in->header.type == static_cast<std::uint8_t>(FrameType::request)));
    check_laid_out_again(*in, parts);
  }
  given = parts;
  if (const Result<OneWayParts> message = decode_one_way(given)) {
    require(parts.size() == 3 && message->path->text() == parts[0].text());
  }
  for (const Slice& part : parts) {
    require(!is_farewell(part) || part.size() == kFrameHeaderBytes);
  }
  return 0;
}
