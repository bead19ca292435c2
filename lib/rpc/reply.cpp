#include "spanwire/rpc/reply.hpp"

#include "lib/base/ascii.hpp"
#include "spanwire/base/counters.hpp"
#include "spanwire/wire/headers.hpp"

namespace spanwire::rpc {
namespace {

constinit NamedCounter bad_header_blocks("spanwire.rpc.client.bad_header_blocks");

// What is wrong with the block; what parses is kept.
Errc read_headers(ByteView block, Headers& out) {
  if (block.empty()) return Errc::ok;
  wire::HeaderList list;
  const Errc fault = list.parse(block);
  for (const wire::Header& header : list) out.set(header.name, header.value);
  return fault;
}

}  // namespace

Headers::Headers(std::initializer_list<std::pair<std::string, std::string>> items) {
  for (const auto& [name, value] : items) set(name, value);
}

void Headers::set(std::string_view name, std::string_view value) {
  for (auto& item : items_) {
    if (!wire::same_name(item.first, name)) continue;
    item.second = value;
    return;
  }
  items_.emplace_back(lower_case(name), std::string(value));
}

std::optional<std::string_view> Headers::get(std::string_view name) const noexcept {
  for (const auto& item : items_) {
    if (wire::same_name(item.first, name)) return std::string_view(item.second);
  }
  return std::nullopt;
}

Headers Reply::headers() const {
  Headers headers;
  if (read_headers(header_block_.view(), headers) != Errc::ok) bad_header_blocks.add();
  return headers;
}

Headers parse_headers(ByteView block) {
  Headers headers;
  // Was counted when the block came in.
  static_cast<void>(read_headers(block, headers));
  return headers;
}

}  // namespace spanwire::rpc
