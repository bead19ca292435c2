// A multipart link made of a byte link: each message goes as its part count, part sizes and parts.
// Not a format for the wire; it gives the memory link its second mode.
#pragma once

#include <memory>

#include "spanwire/transport/link.hpp"

namespace spanwire::transport {

std::unique_ptr<Link> make_multipart_link(std::unique_ptr<Link> bytes);

}  // namespace spanwire::transport
