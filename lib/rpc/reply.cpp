#include "spanwire/rpc/reply.hpp"

#include <algorithm>

#include "spanwire/wire/headers.hpp"

namespace spanwire::rpc {

Headers::Headers(std::initializer_list<std::pair<std::string, std::string>> items) {
  for (const auto& [name, value] : items) set(name, value);
}

void Headers::set(std::string_view name, std::string_view value) {
  for (auto& item : items_) {
    if (!wire::same_name(item.first, name)) continue;
    item.second = value;
    return;
  }
  std::string lower(name);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  items_.emplace_back(std::move(lower), std::string(value));
}

std::optional<std::string_view> Headers::get(std::string_view name) const noexcept {
  for (const auto& item : items_) {
    if (wire::same_name(item.first, name)) return std::string_view(item.second);
  }
  return std::nullopt;
}

Headers Reply::headers() const { return parse_headers(header_block_.view()); }

Headers parse_headers(ByteView block) {
  Headers headers;
  if (block.empty()) return headers;
  wire::HeaderList list;
  // What parses is kept; the rest was counted when the block came in.
  static_cast<void>(list.parse(block));
  for (const wire::Header& header : list) headers.set(header.name, header.value);
  return headers;
}

}  // namespace spanwire::rpc
