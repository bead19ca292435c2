// Attributes of equal keys.
#pragma once

#include <cstddef>

namespace spanwire::trace::detail {

// Of the items' attributes whose keys are equal, takes out all but the last; how many.
std::size_t remove_repeats(std::byte* items, std::size_t bytes) noexcept;

}  // namespace spanwire::trace::detail
