// OneWaySender: PUSH and PUB as a port.  A message is encoded where it is sent; on the socket's
// loop it goes straight to libzmq, from elsewhere through a bounded queue.
#pragma once

#include <array>
#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <unordered_map>

#include "lib/rpc/one_way_port.hpp"
#include "lib/transport/zmq/flood_guard.hpp"
#include "lib/transport/zmq/message.hpp"
#include "lib/transport/zmq/slow_peers.hpp"
#include "lib/transport/zmq/subscriptions.hpp"

namespace spanwire::rpc {

// A message that is ready to go.
struct EncodedMessage {
  std::array<transport::ZmqPart, 2> head;  // path, headers
  transport::ZmqPart last;                 // the payload, once it is ready
  bool payload_ready = false;
  Slice payload;
  std::size_t bytes = 0;
  trace::Span span;
};

// As OneWayPort.
class OneWaySender final : public OneWayPort, private Job, private Timer {
 public:
  enum class Kind : std::uint8_t { push, publish };

  OneWaySender(Runtime& runtime, OneWayOptions options, Kind kind);

  // From any thread.
  Result<void> try_send(const trace::Context& context, const Path& path, Slice payload,
                        const Headers& headers);

  // ---- On the loop

  Task<Result<void>> send(trace::Context context, Path path, Slice payload, Headers headers);
  Task<Result<void>> wait_for_subscribers(trace::Context context, std::string path,
                                          std::size_t count);
  std::size_t subscriptions(std::string_view path) const;

 private:
  // The numbers of one path's messages.
  struct Row {
    std::uint64_t id = 0;
    std::uint64_t next = 1;
  };
  struct TextHash : std::hash<std::string_view> {
    using is_transparent = void;
  };

  void on_zmq_ready() override;
  void on_connection_lost() override;
  void on_descriptor_ended(int fd) override;
  void on_opened() override;
  void on_closing(const Error& cause) override;

  Result<EncodedMessage> encode(const trace::Context& context, const Path& path, Slice payload,
                                const Headers& headers);
  Result<void> hand_over(EncodedMessage& message);
  Result<void> enqueue(EncodedMessage message);
  bool take_queued(EncodedMessage& message);
  void give_back(EncodedMessage message);
  bool no_room(const Result<void>& sent) const noexcept;
  void serve();
  void number(EncodedMessage& message);
  void read_subscriptions();
  bool note_subscription(bool begins, std::string_view prefix);
  void end_greedy_subscribers();
  void wake_subscriber_waits();
  void watch_slow_peers();
  void look_for_slow_peers();
  static void run_queue(Job* job) noexcept;
  static void look_timer_fired(Timer* timer) noexcept;
  static void flight_landed(void* self) noexcept;

  const Kind kind_;
  std::shared_ptr<transport::ZmqFlight> flight_;
  PortWaiters senders_;

  std::unordered_map<std::string, Row, TextHash, std::equal_to<>> rows_;
  std::map<std::string, std::size_t, std::less<>> subscribed_;  // prefix, how often
  transport::ZmqSubscriptions peer_subscriptions_;
  bool ending_greedy_ = false;
  std::optional<transport::ZmqFloodWatch> flood_watch_;
  PortWaiters subscriber_waits_;
  transport::ZmqSlowPeers slow_peers_;
  std::map<int, std::uint64_t> slow_inside_;  // by number: bytes that it had taken

  mutable std::mutex mutex_;  // of what follows
  std::deque<EncodedMessage> queue_;
  std::size_t queue_bytes_ = 0;
  bool queue_posted_ = false;
  bool ended_ = false;
  std::shared_ptr<OneWayPort> keep_;  // while posted
  std::atomic<bool> queue_used_{false};
};

}  // namespace spanwire::rpc
