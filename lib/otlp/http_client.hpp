// One HTTP connection to a collector or a backend, made by libcurl: kept alive, with one deadline
// that holds while it resolves, connects, sends, receives and waits, and that can be moved forward.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>

#include "lib/otlp/curl_handle.hpp"
#include "lib/otlp/http1_connection.hpp"
#include "lib/otlp/http_answer.hpp"
#include "lib/otlp/work_limit.hpp"
#include "spanwire/base/clock.hpp"
#include "spanwire/base/result.hpp"
#include "spanwire/base/slice.hpp"

namespace spanwire::otlp {

// One thread at a time, but for hasten().
class HttpClient {
 public:
  explicit HttpClient(HttpTarget target);
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
  void relax(MonotonicTime deadline) noexcept { limit_.relax(deadline); }
  // As WorkLimit::of().
  MonotonicTime limit(const WorkTime& time) const noexcept { return limit_.of(time); }

 private:
  Result<HttpAnswer> post_by_libcurl(ByteView body, const WorkTime& time);
  Result<void> perform(const WorkTime& time);

  std::mutex waking_;  // hasten() against close()
  WorkLimit limit_;
  std::unique_ptr<CurlHandle> curl_;
  std::unique_ptr<Http1Connection> http1_;  // null: libcurl speaks
  HttpAnswer answer_;                       // as libcurl hands it out
  bool clear_http2_ = false;
  bool connected_ = false;  // with clear_http2_: the connection was good a moment ago
};

}  // namespace spanwire::otlp
