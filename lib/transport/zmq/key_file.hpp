// Files that hold keys: opened and judged in one step, so that what was judged is what is read.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "spanwire/base/result.hpp"
#include "spanwire/transport/zmq_security.hpp"

namespace spanwire::transport {

enum class KeyFileKind : unsigned char { secret, open };

// The whole of a regular file of at most `bytes_max`.  Fails with file_open_failed,
// file_read_failed, file_malformed (too large, or not a file), file_permissions.
Result<std::string> read_key_file(const std::string& path, KeyFileKind kind, std::size_t bytes_max);

// Takes the first line off `text`; without its end, and without blanks around it.
std::string_view take_line(std::string_view& text) noexcept;

// The keys of a list, in either form.
Result<std::vector<CurvePublicKey>> read_allow_list(const std::string& path);
// Changes when the file, or a key file of the folder, does; 0 if there is none.
std::uint64_t allow_list_fingerprint(const std::string& path);

}  // namespace spanwire::transport
