// Forwarder: what was received goes on to another collector, as it came, over OTLP/HTTP.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "lib/otlp/http_client.hpp"
#include "lib/otlp/verdict.hpp"
#include "spanwire/base/result.hpp"
#include "tools/receive/receiver.hpp"

namespace spanwire::tools {

// Of requests that wait; while there are more, senders are asked to come back later.
inline constexpr std::size_t kForwardBytesMax = 64u << 20;
// For what waits when the command ends.
inline constexpr std::chrono::seconds kForwardAtEnd{10};

class Forwarder final : public Onward {
 public:
  // `url`: http:// or https://; /v1/traces is put behind it unless it is there.  Fails with
  // invalid_argument.
  static Result<std::unique_ptr<Forwarder>> open(const std::string& url);
  ~Forwarder() override;

  bool full() const override;
  void push(std::string_view body, BodyFormat format) override;

  // Sends what is left, until the time is up.
  void stop();
  // "forwarded 12 of 13 requests to http://host:4318/v1/traces"; after stop().
  std::string summary() const;
  bool all_delivered() const;

 private:
  struct Item {
    std::string body;
    BodyFormat format;
  };

  Forwarder(std::string url, std::string shown) : url_(std::move(url)), shown_(std::move(shown)) {}
  void run();
  bool next(Item& item);
  void send(const Item& item);
  otlp::HttpClient& client_of(BodyFormat format);
  void note(const std::string& why);

  const std::string url_;
  const std::string shown_;
  mutable std::mutex mutex_;  // over all that follows
  std::condition_variable changed_;
  std::deque<Item> items_;
  std::size_t bytes_ = 0;
  std::size_t taken_ = 0;
  std::size_t delivered_ = 0;
  std::size_t rejected_ = 0;
  bool stopping_ = false;
  MonotonicTime give_up_ = MonotonicTime::max();
  std::string last_note_;
  std::map<BodyFormat, std::unique_ptr<otlp::HttpClient>> clients_;
  std::thread thread_;
};

}  // namespace spanwire::tools
