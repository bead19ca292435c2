// Famous bugs of other systems, on purpose, so that one can see what `spanwire verify` says to
// them.
#pragma once

#include <string_view>

#include "spanwire/rpc/options.hpp"
#include "spanwire/trace/context.hpp"

namespace serving {

enum class Breakage {
  none,
  headers,  // what a caller sends as context is dropped before the handler
  flags,    // a hop builds traceparent anew, with the flags that it always writes
  relay,    // a hop that does not trace hands nothing on
  fork,     // a server forks, and the thread that exports is in the parent alone
};

// Once, before threads and tracing are started.  Under `fork` it returns in a child, and the parent
// ends when that does; under `relay` nothing will be traced here.
void break_process(std::string_view name);
// Once, when tracing is started.
void break_tracing();

spanwire::rpc::ListenOptions broken_listen_options();
// What this process hands on instead of `context`.
spanwire::trace::Context handed_on(const spanwire::trace::Context& context);

}  // namespace serving
