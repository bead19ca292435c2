// Requests in HTTP/1.1, one at a time, over a connection that libcurl makes and keeps: names, TLS,
// unix sockets and tunnels through proxies are its business, the words are ours.  Why:
// docs/decisions/0013-http1-over-libcurls-connections.md.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "lib/otlp/curl_handle.hpp"
#include "lib/otlp/http1_reader.hpp"
#include "lib/otlp/http_answer.hpp"
#include "lib/otlp/work_limit.hpp"
#include "spanwire/base/slice.hpp"

namespace spanwire::otlp {

// One thread.
class Http1Connection {
 public:
  // `curl` is set up for the target.
  Http1Connection(CurlHandle& curl, const HttpTarget& target, const WorkLimit& limit);

  // Not for HTTP/2, names and passwords in URLs, nor proxies that want the whole URL.
  static bool can_speak_to(const HttpTarget& target);

  // As HttpClient::post().  On a connection that was kept, and that ended before the answer began,
  // the request is made once more on a new one: RFC 9112, 9.3.1.
  Result<HttpAnswer> post(ByteView body, const WorkTime& time);

 private:
  Result<void> connect(const WorkTime& time);
  void disconnect() noexcept;
  bool is_still_open();
  Result<void> exchange(ByteView body, const WorkTime& time);
  bool send_some();
  bool send_plainly();
  bool send_by_libcurl();
  void mark_sent(std::size_t bytes) noexcept;
  bool has_unsent() const noexcept { return !unsent_[0].empty() || !unsent_[1].empty(); }
  Result<bool> receive();

  CurlHandle& curl_;
  const WorkLimit& limit_;
  const bool tls_;
  std::string head_;  // up to the value of Content-Length, then of the request at hand
  const std::size_t fixed_bytes_;
  std::array<std::string_view, 2> unsent_;  // of the head and the body
  Http1Reader reader_;
  curl_socket_t socket_ = CURL_SOCKET_BAD;  // of a connection
};

}  // namespace spanwire::otlp
