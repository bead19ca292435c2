// async_call: a call for Asio programs, with any completion token.
#pragma once

#include <asio/associated_executor.hpp>
#include <asio/async_result.hpp>
#include <asio/dispatch.hpp>
#include <asio/executor_work_guard.hpp>
#include <memory>
#include <utility>

#include "spanwire/rpc/client.hpp"

namespace spanwire::rpc {

// Completes with Result<Reply>, on the executor that is associated with the handler, else on a
// thread of the runtime.  `client` lives until then.
//   Result<Reply> reply = co_await async_call(client, context, "llm/embed", payload, {},
//   asio::use_awaitable);
template <class Token>
auto async_call(Client& client, trace::Context context, Path path, Slice payload,
                CallOptions options, Token&& token) {
  return asio::async_initiate<Token, void(Result<Reply>)>(
      [](auto handler, Client* called, trace::Context call_context, Path call_path,
         Slice call_payload, CallOptions call_options) {
        using Completion = decltype(handler);
        // std::function wants to copy what it holds; handlers need not be copyable.
        auto kept = std::make_shared<Completion>(std::move(handler));
        auto work = asio::make_work_guard(asio::get_associated_executor(*kept));
        called->call_then(std::move(call_context), std::move(call_path), std::move(call_payload),
                          call_options, [kept, work](Result<Reply> reply) {
                            asio::dispatch(work.get_executor(),
                                           [kept, reply = std::move(reply)]() mutable {
                                             Completion last = std::move(*kept);
                                             std::move(last)(std::move(reply));
                                           });
                          });
      },
      token, &client, std::move(context), std::move(path), std::move(payload), std::move(options));
}

}  // namespace spanwire::rpc
