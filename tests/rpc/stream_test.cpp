#include "spanwire/rpc/stream.hpp"

#include <atomic>
#include <thread>

#include "lib/rpc/message_port.hpp"
#include "tests/rpc/rpc_fixture.hpp"

namespace spanwire::rpc {
namespace {

Task<Status> echo_stream(Call& call) {
  for (;;) {
    Result<std::optional<Slice>> message = co_await call.read();
    if (!message) co_return Status(StatusCode::cancelled);
    if (!*message) co_return Status::ok();
    const Result<void> written = co_await call.write(std::move(**message));
    if (!written) co_return Status(StatusCode::cancelled);
  }
}

Task<Status> count_up(Call& call) {
  const int count = std::stoi(std::string(call.payload().text()));
  for (int i = 0; i < count; ++i) {
    const Result<void> written = co_await call.write(Slice::of(std::to_string(i)));
    if (!written) co_return Status(StatusCode::cancelled);
  }
  call.set_header("x-count", std::to_string(count));
  call.reply(Slice::copy_of("done"));
  co_return Status::ok();
}

Task<Status> fail_after_two(Call& call) {
  for (int i = 0; i < 2; ++i) {
    const Result<void> written = co_await call.write(Slice::copy_of("x"));
    if (!written) co_return Status(StatusCode::cancelled);
  }
  co_return Status(StatusCode::data_loss, "the disk is gone");
}

class StreamTest : public RpcTest {
 protected:
  StreamTest() {
    server().handle("stream/echo", echo_stream);
    server().handle("stream/count", count_up);
    server().handle("stream/fail", fail_after_two);
  }
  Result<Stream> open(std::string_view path, std::string_view payload, CallOptions options = {}) {
    return client_->open_blocking(trace::Context(), path, Slice::copy_of(payload), options);
  }
};

TEST_F(StreamTest, DeliversEveryMessageThenTheReply) {
  client();
  Result<Stream> stream = open("stream/count", "1000");
  ASSERT_TRUE(stream) << stream.error().message();
  for (int i = 0; i < 1000; ++i) {
    const Result<std::optional<Slice>> message = stream->read_blocking();
    ASSERT_TRUE(message && *message) << i;
    EXPECT_EQ((*message)->text(), std::to_string(i));
  }
  const Result<std::optional<Slice>> end = stream->read_blocking();
  ASSERT_TRUE(end);
  EXPECT_FALSE(*end);
  EXPECT_EQ(stream->reply().payload().text(), "done");
  EXPECT_EQ(stream->reply().headers().get("x-count"), "1000");
}

// So many messages in one turn, once its caller waits for them.
Task<Status> burst(Call& call) {
  const int count = std::stoi(std::string(call.payload().text()));
  const Result<std::optional<Slice>> go = co_await call.read();
  if (!go || !*go) co_return Status(StatusCode::cancelled);
  for (int i = 0; i < count; ++i) {
    const Result<void> written = co_await call.write(Slice::of(std::to_string(i)));
    if (!written) co_return Status(StatusCode::cancelled);
  }
  co_return Status::ok();
}

// How many there are when the reader that waited for the first one is resumed.
Task<std::size_t> read_at_once(Client* client, std::size_t count) {
  Result<Stream> stream =
      co_await client->open(trace::Context(), "stream/burst", Slice::of(std::to_string(count)));
  if (!stream) co_return 0;
  const Result<void> gone = co_await stream->write(Slice::of_static("go"));
  if (!gone) co_return 0;
  const Result<std::optional<Slice>> first = co_await stream->read();
  std::size_t at_once = first && *first ? 1 : 0;
  while (stream->try_read()) ++at_once;
  std::size_t all = at_once;
  for (; all < count; ++all) {
    const Result<std::optional<Slice>> next = co_await stream->read();
    if (!next || !*next) break;
  }
  co_return all == count ? at_once : 0;
}

// Over TCP, whatever the suite runs over: there what a turn wrote comes in one piece.
TEST_F(StreamTest, AReaderIsResumedForATurnsMessagesOrForSoMany) {
  server().handle("stream/burst", burst);
  const Result<std::string> bound = server().listen("tcp://127.0.0.1:0");
  ASSERT_TRUE(bound) << bound.error().message();
  ASSERT_TRUE(server().start());
  client_ = std::make_unique<Client>(runtime_, *bound, ClientOptions());
  EXPECT_EQ(runtime_.block_on(read_at_once(client_.get(), 10)), 10u);
  EXPECT_EQ(runtime_.block_on(read_at_once(client_.get(), 40)), kMessagesAtOnce);
}

constexpr std::size_t kSizes[] = {0, 1, 5000, 65'536, 300'000};

TEST_F(StreamTest, SendsBothWays) {
  client();
  Result<Stream> stream = open("stream/echo", "");
  ASSERT_TRUE(stream);
  for (const std::size_t size : kSizes) {
    const std::string text(size, 'm');
    ASSERT_TRUE(stream->write_blocking(Slice::copy_of(text))) << size;
    const Result<std::optional<Slice>> message = stream->read_blocking();
    ASSERT_TRUE(message && *message) << size;
    EXPECT_EQ((*message)->text(), text);
  }
  stream->end_writing();
  const Result<std::optional<Slice>> end = stream->read_blocking();
  ASSERT_TRUE(end) << end.error().message();
  EXPECT_FALSE(*end);
}

TEST_F(StreamTest, GivesTheMessagesBeforeAFailure) {
  client();
  Result<Stream> stream = open("stream/fail", "");
  ASSERT_TRUE(stream);
  EXPECT_TRUE(stream->read_blocking());
  EXPECT_TRUE(stream->read_blocking());
  const Result<std::optional<Slice>> end = stream->read_blocking();
  ASSERT_FALSE(end);
  EXPECT_EQ(status_of(end.error()), StatusCode::data_loss);
  EXPECT_EQ(call_failure(end.error())->status_message, "the disk is gone");
}

TEST_F(StreamTest, HoldsBackAWriterWhoseReaderDoesNotRead) {
  client();
  Result<Stream> stream = open("stream/count", "10000000");
  ASSERT_TRUE(stream);
  const Result<std::optional<Slice>> first = stream->read_blocking();
  ASSERT_TRUE(first && *first);
  // Another call on the same connection is not held up by the unread stream.
  EXPECT_EQ(call("test/upper", "x")->payload().text(), "X");
  stream->cancel();
  for (;;) {
    const Result<std::optional<Slice>> message = stream->read_blocking();
    if (message) continue;
    EXPECT_EQ(message.error().code(), Errc::cancelled);
    break;
  }
}

TEST_F(StreamTest, DroppedStreamsCancelTheirHandler) {
  std::atomic<bool> told{false};
  server().handle("stream/watch", [&](Call& call) -> Task<Status> {
    const Result<void> written = co_await call.write(Slice::copy_of("here"));
    static_cast<void>(written);
    const Result<void> slept = co_await sleep_for(std::chrono::hours(1));
    told = !slept && call.cancelled();
    co_return Status(StatusCode::cancelled);
  });
  client();
  {
    Result<Stream> stream = open("stream/watch", "");
    ASSERT_TRUE(stream);
    ASSERT_TRUE(stream->read_blocking());
  }
  client_.reset();
  server_.reset();  // waits for the handler
  EXPECT_TRUE(told);
}

TEST_F(StreamTest, WritesFromAnotherThreadArriveInOrder) {
  std::thread engine;
  server().handle("stream/engine", [&](Call& call) -> Task<Status> {
    engine = std::thread([mine = std::make_shared<Call>(std::move(call))] {
      for (int i = 0; i < 5000;) {
        Slice message = Slice::of(std::to_string(i));
        const TryWrite written = mine->try_write(message);
        if (written == TryWrite::cancelled) break;
        if (written == TryWrite::ok) ++i;
        if (written == TryWrite::full) std::this_thread::yield();
      }
      mine->finish(Status::ok(), Slice::copy_of("end"));
    });
    co_return Status::ok();
  });
  client();
  Result<Stream> stream = open("stream/engine", "");
  ASSERT_TRUE(stream);
  int next = 0;
  for (;;) {
    const Result<std::optional<Slice>> message = stream->read_blocking();
    ASSERT_TRUE(message) << message.error().message();
    if (!*message) break;
    ASSERT_EQ((*message)->text(), std::to_string(next++));
  }
  engine.join();
  EXPECT_EQ(next, 5000);
  EXPECT_EQ(stream->reply().payload().text(), "end");
}

TEST_F(StreamTest, ADroppedCallEndsAsInternal) {
  server().handle("stream/forget", [](Call& call) -> Task<Status> {
    const Call mine = std::move(call);
    co_return Status::ok();
  });
  client();
  const Result<Reply> reply = call("stream/forget", "");
  ASSERT_FALSE(reply);
  EXPECT_EQ(status_of(reply.error()), StatusCode::internal);
}

TEST_F(StreamTest, EndsAtItsDeadline) {
  client();
  CallOptions options;
  options.timeout = std::chrono::milliseconds(40);
  Result<Stream> stream = open("test/hang", "", options);
  // On a busy machine the time may be over before there is a stream; then the next one is opened.
  while (!stream && stream.error() == Errc::deadline_exceeded) {
    stream = open("test/hang", "", options);
  }
  ASSERT_TRUE(stream);
  const Result<std::optional<Slice>> end = stream->read_blocking();
  ASSERT_FALSE(end);
  EXPECT_EQ(end.error().code(), Errc::deadline_exceeded);
}

TEST_F(StreamTest, OfNobodyFailsToOpenOrAtItsFirstRead) {
  client();
  Result<Stream> stream = open("stream/nobody", "");
  ASSERT_TRUE(stream);
  const Result<std::optional<Slice>> end = stream->read_blocking();
  ASSERT_FALSE(end);
  EXPECT_EQ(status_of(end.error()), StatusCode::unimplemented);
}

}  // namespace
}  // namespace spanwire::rpc
