// Any bytes as the head of an HTTP request: refused with a status that the answer knows, or a path
// of visible characters; never more of it than was there.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "lib/admin/http_request.hpp"

using namespace spanwire;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t end = admin::head_end(text);
  require(end == std::string_view::npos || end <= size);
  const admin::HttpRequest request = admin::parse_request(text);
  const int refused = request.refused;
  require(refused == 0 || refused == 400 || refused == 405 || refused == 505);
  require(request.path.size() + request.accept.size() <= 2 * size);
  if (refused != 0) return 0;
  require(!request.path.empty() || text.find("?") != std::string_view::npos);
  for (const char c : request.path) require(c > ' ' && c < 0x7f);
  for (const char c : request.accept) require(c != '\r' && c != '\n');
  return 0;
}
