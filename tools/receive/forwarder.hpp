// Forwarder: what was received goes on to another collector, in protobuf, over HTTP or gRPC.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "lib/otlp/sender.hpp"
#include "spanwire/base/result.hpp"
#include "spanwire/otlp/environment.hpp"
#include "tools/receive/receiver.hpp"

namespace spanwire::tools {

struct ForwardBounds {
  // Of requests that wait; while there are more, senders are asked to come back later.
  std::size_t waiting_bytes_max = 64u << 20;
  // For what waits when the command ends.
  std::chrono::nanoseconds at_end = std::chrono::seconds(10);
};

// Where `url` leads and how: grpc:// and grpcs://, and http:// and https:// with port 4317, are
// gRPC; other http://, https:// and unix: are HTTP, with /v1/traces behind them unless it is there;
// what has no scheme is http://.  Headers, certificates, compression and timeout are those of
// OTEL_EXPORTER_OTLP_*.  Fails with invalid_argument.
Result<otlp::OtlpOptions> forward_options(std::string_view url,
                                          const otlp::Environment& environment);

class Forwarder final : public Onward {
 public:
  Forwarder(otlp::OtlpOptions options, const ForwardBounds& bounds);
  ~Forwarder() override;

  bool full() const override;
  void push(std::string_view body, BodyFormat format, std::size_t spans) override;

  // Sends what is left, until the time is up.
  void stop();
  // "forwarded 12 of 13 spans to http://host:4318/v1/traces; lost: 1, ..."; after stop().
  std::string summary() const;
  bool all_delivered() const;

 private:
  struct Item {
    std::string body;
    BodyFormat format;
    std::size_t spans;
  };

  void run();
  bool next(Item& item);
  otlp::Outcome send(const Item& item);
  void note(const Error& why);

  const otlp::OtlpOptions options_;
  const ForwardBounds bounds_;
  const std::string shown_;
  otlp::Sender sender_;
  mutable std::mutex mutex_;  // over all that follows
  std::condition_variable changed_;
  std::deque<Item> items_;
  std::size_t bytes_ = 0;
  std::size_t taken_ = 0;      // spans
  std::size_t delivered_ = 0;  // spans
  bool stopping_ = false;
  MonotonicTime give_up_ = MonotonicTime::max();
  std::string last_note_;
  std::string last_loss_;
  std::thread thread_;
};

}  // namespace spanwire::tools
