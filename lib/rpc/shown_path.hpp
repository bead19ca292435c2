// How error texts, log lines and spans show a path that a caller chose.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace spanwire::rpc {

inline constexpr std::size_t kShownPathBytesMax = 256;

// The path, or its first kShownPathBytesMax bytes and how many there are: who may call with any
// path must not fill a log with it.
std::string shown_path(std::string_view path);
// For spans: no more than those bytes, whole characters, no allocation.
std::string_view clipped_path(std::string_view path) noexcept;

}  // namespace spanwire::rpc
