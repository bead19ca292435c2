// What rpc tests share: a runtime, a server with the usual handlers on any free port, a client.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <memory>
#include <string>

#include "spanwire/base/sleep.hpp"
#include "spanwire/base/when.hpp"
#include "spanwire/rpc/client.hpp"
#include "spanwire/rpc/server.hpp"
#include "tests/support/closed_port.hpp"
#include "tests/support/leak_check.hpp"

namespace spanwire::rpc {

inline constexpr std::chrono::seconds kGuard{30};

inline Task<Status> echo(Call& call) {
  call.reply(call.payload());
  co_return Status::ok();
}

inline Task<Status> upper(Call& call) {
  std::string text(call.payload().text());
  for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  call.set_header("x-length", std::to_string(text.size()));
  call.reply(Slice::of(std::move(text)));
  co_return Status::ok();
}

inline Task<Status> refuse(Call& call) {
  Status status(StatusCode::failed_precondition, "not " + std::string(call.payload().text()));
  status.retry_after(std::chrono::milliseconds(1500));
  co_return status;
}

inline Task<Status> throwing(Call& /*call*/) {
  throw std::runtime_error("secret of the house");
  co_return Status::ok();
}

// Waits until it is cancelled.
inline Task<Status> hanging(Call& /*call*/) {
  const Result<void> slept = co_await sleep_for(std::chrono::hours(1));
  if (!slept) co_return Status(StatusCode::cancelled);
  co_return Status::ok();
}

// Nothing waits on any loop: clients and servers are gone, and so are their deadlines.
inline void expect_no_timers(Runtime& runtime) {
  const auto armed = [](Executor* loop) -> Task<std::size_t> { co_return loop->timers().armed(); };
  for (std::size_t i = 0; i < runtime.loops(); ++i) {
    transport::Loop& loop = runtime.loop(i);
    EXPECT_EQ(*block_on(loop, armed(&loop)), 0u) << "a timer is still armed on loop " << i;
  }
}

// A server at a free port of the given scheme and a client of it.
class RpcTest : public ::testing::Test {
 protected:
  explicit RpcTest(unsigned threads = 1) : runtime_(options_with(threads)) {}
  ~RpcTest() override {
    client_.reset();
    server_.reset();
    expect_no_timers(runtime_);
  }

  static RuntimeOptions options_with(unsigned threads) {
    RuntimeOptions options;
    options.threads = threads;
    return options;
  }

  // The suites run over each kind of link: the environment says which.
  static std::string listen_address() {
    const char* const given = std::getenv("SPANWIRE_TEST_LISTEN");
    const std::string address = given != nullptr ? given : "tcp://127.0.0.1:0";
    static int count = 0;
    return address.ends_with("/")
               ? address + std::to_string(::getpid()) + "-" + std::to_string(++count)
               : address;
  }

  Server& server() {
    if (server_ == nullptr) make_server(ServerOptions());
    return *server_;
  }
  Server& make_server(ServerOptions options) {
    server_ = std::make_unique<Server>(runtime_, std::move(options));
    server_->handle("test/echo", echo);
    server_->handle("test/upper", upper);
    server_->handle("test/refuse", refuse);
    server_->handle("test/throw", throwing);
    server_->handle("test/hang", hanging);
    return *server_;
  }
  // Listens, starts, and gives a client of it.
  Client& client(ClientOptions options = {}) {
    Server& s = server();
    const Result<std::string> bound = s.listen(listen_address());
    EXPECT_TRUE(bound) << bound.error().message();
    EXPECT_TRUE(s.start());
    address_ = *bound;
    client_ = std::make_unique<Client>(runtime_, address_, std::move(options));
    return *client_;
  }
  // Like the server's, which ends; nobody is there, nor comes there.
  std::string address_of_nobody() {
    server_.reset();
    const std::size_t at = address_.find("127.0.0.1:");
    return at == std::string::npos ? address_ : address_.substr(0, at) + closed_.host_and_port();
  }
  Result<Reply> call(std::string_view path, std::string_view payload, CallOptions options = {}) {
    return client_->call_blocking(trace::Context(), path, Slice::copy_of(payload), options);
  }

  testing::LeakCheck leaks_;
  Runtime runtime_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<Client> client_;
  std::string address_;

 private:
  testing::ClosedPort closed_;
};

}  // namespace spanwire::rpc
