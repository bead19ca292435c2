// OneWayReceiver: PULL and SUB as a port.  Messages stay in libzmq until somebody asks for them.
#pragma once

#include <atomic>
#include <string>
#include <unordered_map>
#include <vector>

#include "lib/rpc/call_headers.hpp"
#include "lib/rpc/inside_subscribers.hpp"
#include "lib/rpc/one_way_port.hpp"
#include "spanwire/wire/headers.hpp"

namespace spanwire::rpc {

// As OneWayPort.
class OneWayReceiver final : public OneWayPort, private InsideSubscriber, private Job {
 public:
  // To a Puller `prefixes` mean nothing.
  enum class Kind : std::uint8_t { pull, subscribe };
  OneWayReceiver(Runtime& runtime, OneWayOptions options, Kind kind,
                 std::vector<std::string> prefixes);

  // From any thread.
  std::uint64_t missed() const noexcept { return missed_.load(std::memory_order_relaxed); }
  // Of a receiver, which the task keeps; wherever that is awaited.
  static Task<Result<Message>> receive(std::shared_ptr<OneWayPort> port);

  // ---- On the loop

  Task<Result<MessageBatch>> receive_batch(trace::Context context, std::size_t messages_max);

 private:
  Result<void> prepare(transport::ZmqSocket& socket) override;
  void on_zmq_ready() override;
  void on_opened() override;
  void on_closing(const Error& cause) override;

  std::uint64_t bytes_taken() const noexcept override {
    return bytes_taken_.load(std::memory_order_relaxed);
  }
  void make_room() override;
  bool inherited() const noexcept override { return forked(); }
  static void run_make_room(Job* job) noexcept;
  void drop_unread();
  void note_dropped(const Message& message);

  Task<Result<void>> wait_for_message();
  bool take_good(Message& message);
  void introduce(Message& message);
  Result<void> adopt(Message& message);
  void note_number(Message& message);
  void refuse(Errc cause);
  trace::Extracted read_sender(const Message& message);

  const Kind kind_;
  const std::vector<std::string> prefixes_;
  transport::ZmqMessage incoming_;
  wire::HeaderList headers_;
  PortWaiters receivers_;
  std::unordered_map<std::uint64_t, std::uint64_t> rows_;  // last number of each
  std::atomic<std::uint64_t> missed_{0};
  std::atomic<std::uint64_t> bytes_taken_{0};
  std::atomic<bool> room_asked_for_{false};
  std::shared_ptr<OneWayPort> keep_;  // while posted
};

}  // namespace spanwire::rpc
