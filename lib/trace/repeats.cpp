#include "lib/trace/repeats.hpp"

#include <cstdint>

#include "spanwire/trace/detail/record_layout.hpp"

namespace spanwire::trace::detail {
namespace {

Item& item_in(std::byte* at) noexcept { return *reinterpret_cast<Item*>(at); }

// Removes the attribute before `end` that has the key; false if there is none.
bool remove_earlier(std::byte* items, const std::byte* end, std::string_view key) noexcept {
  while (items != end) {
    Item& item = item_in(items);
    if (item.tag == ItemTag::attribute && key_of(item) == key) {
      item.tag = ItemTag::removed;
      return true;
    }
    items += room_of(item);
  }
  return false;
}

}  // namespace

std::size_t remove_repeats(std::byte* items, std::size_t bytes) noexcept {
  std::size_t removed = 0;
  std::uint64_t seen = 0;
  const std::byte* const end = items + bytes;
  for (std::byte* at = items; at != end; at += room_of(item_in(at))) {
    if (item_in(at).tag != ItemTag::attribute) continue;
    const std::string_view key = key_of(item_in(at));
    const std::uint64_t bit = std::uint64_t{1} << key_filter(key);
    if ((seen & bit) != 0 && remove_earlier(items, at, key)) ++removed;
    seen |= bit;
  }
  return removed;
}

}  // namespace spanwire::trace::detail
