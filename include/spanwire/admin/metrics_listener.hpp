// MetricsListener: a small HTTP server of its own for GET /metrics and GET /healthz, for programs
// that have none.  One thread, bounded by the options whatever its clients do.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "spanwire/base/result.hpp"

namespace spanwire::admin {

class ListenerLoop;

// The answer to a scrape, as of this moment.
struct MetricsAnswer {
  std::string text;
  std::string_view content_type;
};
// `accept`: the field of the request, which decides between Prometheus's text and OpenMetrics,
// which has exemplars.  For servers of a program's own.  Safe from any thread.
MetricsAnswer metrics_answer(std::string_view accept);

struct ListenerOptions {
  // HOST:PORT, [::1]:PORT, or :PORT for all addresses; port 0 is any free one.
  std::string address = "127.0.0.1:9464";
  // Clients at once; one more takes the place of the one that is there longest.
  std::size_t connections_max = 16;
  // From the connect to the last byte of the answer.
  std::chrono::milliseconds request_timeout{5000};
  // The request's line and fields.
  std::size_t request_bytes_max = 8192;
  // What /healthz says: 200, or 503 for false.  Empty: 200.  Called on the listener's thread.
  std::function<bool()> healthy;
};

// Answers 400, 404, 405, 431 and 505 to what is none of the two, one request a connection. Counted:
// spanwire.admin.requests, .bad_requests, .timeouts, .connections_dropped.
//
// Safe from any thread.  A forked child does not listen: it lets go of the sockets, and of this
// object it may only call the destructor.
class MetricsListener {
 public:
  // Listens, on a thread of its own ("spanwire-admin").  Fails with bad_address or listen_failed.
  static Result<std::unique_ptr<MetricsListener>> start(ListenerOptions options);
  // Stops listening and closes all connections at once.
  ~MetricsListener();

  // With the port that it got: "127.0.0.1:9464".
  const std::string& address() const noexcept;

 private:
  explicit MetricsListener(std::unique_ptr<ListenerLoop> loop) noexcept;
  std::unique_ptr<ListenerLoop> loop_;
};

// The one listener of the process, never stopped: what SPANWIRE_METRICS_LISTEN starts.  A second
// call says in the log that the first one stays, and returns its address.
Result<std::string> listen_once(const ListenerOptions& options);

}  // namespace spanwire::admin
