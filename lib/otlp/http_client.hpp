// One HTTP connection to a collector or a backend, over libcurl: kept alive, with one deadline that
// holds while it resolves, connects, sends, receives and waits, and that can be moved forward.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "spanwire/base/clock.hpp"
#include "spanwire/base/result.hpp"
#include "spanwire/base/slice.hpp"

namespace spanwire::otlp {

// A longer answer is refused.
inline constexpr std::size_t kAnswerBytesMax = 4u << 20;

struct HttpTarget {
  std::string url;
  std::string unix_socket;  // empty: TCP
  bool http2 = false;       // in clear text with prior knowledge
  std::vector<std::pair<std::string, std::string>> headers;
  std::string ca_file;
  std::string client_certificate_file;
  std::string client_key_file;
  std::string proxy;  // empty: as http_proxy, https_proxy and no_proxy say
};

struct HttpAnswer {
  long status = 0;
  std::string content_type;
  std::string body;
  std::optional<std::chrono::seconds> retry_after;
  // gRPC's, from the headers or behind the body.
  std::string grpc_status;
  std::string grpc_message;
  std::string grpc_details;
};

// When a piece of work, such as a batch with all of its attempts, began, and by when it has to end.
struct WorkTime {
  MonotonicTime begin;
  MonotonicTime deadline;
};

// One thread at a time, but for hasten().
class HttpClient {
 public:
  explicit HttpClient(const HttpTarget& target);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // Any answer is a success here.  Fails with resolve_failed, connect_failed, connection_reset,
  // export_tls_failed, export_answer_malformed (not HTTP, or too long) or export_timeout; the
  // sentence says how far it got.
  Result<HttpAnswer> post(ByteView body, const WorkTime& time);
  // Sleeps; false if the work's end comes first.
  bool pause(std::chrono::nanoseconds duration, const WorkTime& time);
  // Closes the connection, for good.
  void close() noexcept;
  // From any thread: what is under way now ends by `deadline`.
  void hasten(MonotonicTime deadline) noexcept;
  // The haste for `deadline` is over.
  void relax(MonotonicTime deadline) noexcept;
  // The earlier of the work's deadline and what hasten() said; haste whose time had come before the
  // work began was for earlier work.
  MonotonicTime limit(const WorkTime& time) const noexcept;

 private:
  struct Curl;
  Result<void> perform(const WorkTime& time);
  Result<void> run(const WorkTime& time);
  Result<void> wait(const WorkTime& time);
  Error describe(int code) const;
  Error late() const;

  std::mutex waking_;  // hasten() against close()
  std::unique_ptr<Curl> curl_;
  std::atomic<std::int64_t> urgent_ns_;
  bool clear_http2_ = false;
  bool connected_ = false;  // with clear_http2_: the connection was good a moment ago
};

}  // namespace spanwire::otlp
