// A relay that traces nothing still passes the caller's trace on, untouched: no provider is needed.
#include <cstdio>
#include <string>

#include "spanwire/rpc/client.hpp"
#include "spanwire/rpc/server.hpp"
#include "spanwire/trace/context.hpp"

using namespace spanwire;  // NOLINT: an example

Task<rpc::Status> show_trace(rpc::Call& call) {
  call.reply(Slice::of(call.header("traceparent").value_or("none") + " " +
                       call.header("tracestate").value_or("none")));
  co_return rpc::Status::ok();
}

int main() {
  rpc::Runtime runtime;
  rpc::Server last(runtime);
  last.handle("example/show", show_trace);
  const Result<std::string> last_address = last.listen("tcp://127.0.0.1:0");
  if (!last_address || !last.start()) return 1;
  rpc::Client to_last(runtime, *last_address);

  rpc::Server relay(runtime);
  relay.handle("example/show", [&to_last](rpc::Call& call) -> Task<rpc::Status> {
    // The context of the call that came in is all that the next one needs.
    Result<rpc::Reply> reply =
        co_await to_last.call(call.context(), "example/show", call.payload());
    if (!reply) co_return rpc::Status(rpc::status_of(reply.error()), reply.error().message());
    call.reply(reply->payload());
    co_return rpc::Status::ok();
  });
  const Result<std::string> relay_address = relay.listen("tcp://127.0.0.1:0");
  if (!relay_address || !relay.start()) return 1;

  const auto trace_id = trace::TraceId::from_hex("4bf92f3577b34da6a3ce929d0e0e4736");
  const auto span_id = trace::SpanId::from_hex("00f067aa0ba902b7");
  const trace::SpanContext mine(*trace_id, *span_id, 0x01);
  const trace::Context context = trace::Context().with_span(mine, "vendor=opaque");
  rpc::Client client(runtime, *relay_address);
  const Result<rpc::Reply> reply = client.call_blocking(context, "example/show", Slice());
  if (!reply) return 1;
  const std::string seen(reply->payload().text());
  std::printf("%s\n", seen.c_str());
  return seen == "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01 vendor=opaque" ? 0 : 1;
}
