// Who a thread is in the views: SGLang's process and thread information.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace spanwire::journey {

// A thread's place in the model; unset where it has none.
struct Ranks {
  std::optional<int> tp{};
  std::optional<int> pp{};
  std::optional<int> dp{};
};

// Names the calling thread, for all requests that it works on from now on; the name is copied.  The
// first call of a thread wins, further ones do nothing and return false.  A forked child's thread
// has not been named.  A thread that was never named is called "unknown" once it takes part in a
// request, which is counted as Errc::thread_unregistered.
bool set_thread_info(std::string_view label, const Ranks& ranks = {});

// What tells machines apart: the text of /etc/machine-id, else the address of a network card as 32
// hexadecimal digits, else "unknown".  Read once.
const std::string& host_id();

}  // namespace spanwire::journey
