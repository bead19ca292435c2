// Interceptors: authentication, metrics, logging around every call of a client or a server.
#pragma once

#include <string_view>

#include "spanwire/base/result.hpp"
#include "spanwire/rpc/call.hpp"
#include "spanwire/rpc/reply.hpp"
#include "spanwire/rpc/status.hpp"
#include "spanwire/trace/context.hpp"

namespace spanwire::rpc {

// Called on the client's loop; must not block.  One object serves all threads: it must be safe from
// any of them.
class ClientInterceptor {
 public:
  virtual ~ClientInterceptor() = default;
  // Before the call is sent: may add headers, or refuse the call with an error.
  virtual Result<void> before(const trace::Context& /*context*/, std::string_view /*path*/,
                              Headers& /*headers*/) {
    return {};
  }
  // Once, with the call's final status.
  virtual void after(const trace::Context& /*context*/, std::string_view /*path*/,
                     StatusCode /*status*/) {}
};

// Called on the connection's loop; must not block; safe from any loop's thread.
class ServerInterceptor {
 public:
  virtual ~ServerInterceptor() = default;
  // After admission, before the handler: a status other than ok ends the call, as not started.
  virtual Status before(Call& /*call*/) { return Status::ok(); }
  virtual void after(Call& /*call*/, const Status& /*status*/) {}
};

}  // namespace spanwire::rpc
