#include "spanwire/rpc/path.hpp"

#include "lib/rpc/shown_path.hpp"
#include "spanwire/wire/limits.hpp"
#include "spanwire/wire/utf8.hpp"

namespace spanwire::rpc {

Result<void> check_path(std::string_view path) {
  if (path.empty())
    return fail(Errc::invalid_argument, "the path is empty; expected something like llm/generate");
  if (path.size() > wire::kPathBytesMax) {
    return fail(Errc::path_too_long, std::to_string(path.size()) + " bytes, limit " +
                                         std::to_string(wire::kPathBytesMax) + ", begins with " +
                                         std::string(path.substr(0, 40)));
  }
  if (!wire::valid_utf8(path))
    return fail(Errc::path_not_utf8, std::to_string(path.size()) + " bytes");
  return {};
}

std::string_view clipped_path(std::string_view path) noexcept {
  return wire::clip_utf8(path, kShownPathBytesMax);
}

std::string shown_path(std::string_view path) {
  if (path.size() <= kShownPathBytesMax) return std::string(path);
  return std::string(clipped_path(path)) + "... (" + std::to_string(path.size()) + " bytes)";
}

}  // namespace spanwire::rpc
