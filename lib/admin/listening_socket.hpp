// A listening TCP socket by its address.
#pragma once

#include <string>
#include <string_view>

#include "spanwire/base/result.hpp"

namespace spanwire::admin {

struct ListeningSocket {
  int descriptor = -1;
  std::string address;  // with the port that it got
};

// Not blocking, closed on exec.  Fails with bad_address or listen_failed.
Result<ListeningSocket> listen_on(std::string_view address);

}  // namespace spanwire::admin
