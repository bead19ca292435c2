#include "lib/otlp/http1_connection.hpp"

#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <utility>

#include "lib/base/ascii.hpp"
#include "lib/otlp/environment_reader.hpp"
#include "lib/otlp/url.hpp"

namespace spanwire::otlp {
namespace {

constexpr std::size_t kReadBytes = 16u << 10;

MonotonicTime now() noexcept { return Clock::system().monotonic(); }

bool is_set(const char* variable) noexcept {
  const char* const value = std::getenv(variable);
  return value != nullptr && *value != '\0';
}

bool is_tls(const HttpTarget& target) noexcept { return target.url.starts_with("https:"); }

// The request line and all fields, up to the value of Content-Length.
std::string fixed_head(const HttpTarget& target) {
  const Url url(target.url);
  const std::string query = url.part(CURLUPART_QUERY);
  const std::string port = url.part(CURLUPART_PORT);
  std::string head = "POST " + url.part(CURLUPART_PATH);
  if (!query.empty()) head += '?' + query;
  head += " HTTP/1.1\r\n";
  const bool names_host =
      std::any_of(target.headers.begin(), target.headers.end(),
                  [](const auto& header) { return lower_case(header.first) == "host"; });
  if (!names_host) {
    head += "Host: " + url.part(CURLUPART_HOST);
    if (!port.empty()) head += ':' + port;
    head += "\r\n";
  }
  head += "Accept: */*\r\n";
  for (const auto& [name, value] : target.headers) {
    head.append(name).append(": ").append(value).append("\r\n");
  }
  return head + "Content-Length: ";
}

}  // namespace

bool Http1Connection::can_speak_to(const HttpTarget& target) {
  if (target.http2 || !Url(target.url).part(CURLUPART_USER).empty()) return false;
  if (is_tls(target) || !target.unix_socket.empty()) return true;
  return target.proxy.empty() && !is_set("http_proxy") && !is_set("all_proxy") &&
         !is_set("ALL_PROXY");
}

Http1Connection::Http1Connection(CurlHandle& curl, const HttpTarget& target, const WorkLimit& limit)
    : curl_(curl),
      limit_(limit),
      tls_(is_tls(target)),
      head_(fixed_head(target)),
      fixed_bytes_(head_.size()) {
  curl_.set(CURLOPT_CONNECT_ONLY, 1L);
}

Result<HttpAnswer> Http1Connection::post(ByteView body, const WorkTime& time) {
  for (;;) {
    const bool kept = is_still_open();
    if (!kept) {
      disconnect();
      SPANWIRE_TRY_VOID(connect(time));
    }
    reader_ = Http1Reader();
    const Result<void> done = exchange(body, time);
    if (!done || !reader_.keeps_connection() || has_unsent()) disconnect();
    if (done) return std::move(reader_.answer());
    const bool ended_unasked =
        kept && !reader_.begun() && done.error().code() == Errc::connection_reset;
    if (!ended_unasked) return fail(done.error());
  }
}

Result<void> Http1Connection::connect(const WorkTime& time) {
  const Result<void> connected = curl_.transfer(limit_, time);
  curl_easy_getinfo(curl_.easy, CURLINFO_ACTIVESOCKET, &socket_);
  if (connected && socket_ != CURL_SOCKET_BAD) return {};
  disconnect();
  if (!connected) return fail(connected.error());
  return fail(Errc::connect_failed, "libcurl lost the connection");
}

// libcurl closes a connection of this kind when it is done with the handle.
void Http1Connection::disconnect() noexcept {
  curl_multi_remove_handle(curl_.multi, curl_.easy);
  socket_ = CURL_SOCKET_BAD;
}

bool Http1Connection::is_still_open() {
  if (socket_ == CURL_SOCKET_BAD) return false;
  char unasked = 0;
  std::size_t got = 0;
  return curl_easy_recv(curl_.easy, &unasked, sizeof unasked, &got) == CURLE_AGAIN;
}

// An answer may come before the whole request is sent, which need not be sent then.
Result<void> Http1Connection::exchange(ByteView body, const WorkTime& time) {
  head_.resize(fixed_bytes_);
  head_.append(std::to_string(body.size())).append("\r\n\r\n");
  unsent_ = {head_, text_of(body)};
  for (bool broken = false;;) {
    // A server that has said why it takes no more may have been heard all the same.
    if (has_unsent() && !broken) broken = !send_some();
    const bool sends = has_unsent() && !broken;
    const MonotonicTime until = limit_.of(time);
    if (now() >= until) {
      return fail(
          Errc::export_timeout,
          "without an answer, " + std::to_string(body.size() - unsent_[1].size()) + " bytes sent");
    }
    constexpr short kRead = CURL_WAIT_POLLIN;
    curl_waitfd events{socket_, static_cast<short>(sends ? kRead | CURL_WAIT_POLLOUT : kRead), 0};
    curl_.wait(until, &events);
    SPANWIRE_TRY(const bool whole, receive());
    if (whole) return {};
  }
}

// As much as there is room for.  False if the connection takes no more.
bool Http1Connection::send_some() { return tls_ ? send_by_libcurl() : send_plainly(); }

// In one piece, so that who receives it is woken once.
bool Http1Connection::send_plainly() {
  std::array<iovec, 2> pieces{};
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    pieces[i] = {const_cast<char*>(unsent_[i].data()), unsent_[i].size()};
  }
  msghdr message{};
  message.msg_iov = pieces.data();
  message.msg_iovlen = pieces.size();
  const ssize_t sent = sendmsg(socket_, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent < 0) return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
  mark_sent(static_cast<std::size_t>(sent));
  return true;
}

bool Http1Connection::send_by_libcurl() {
  while (has_unsent()) {
    const std::string_view piece = unsent_[0].empty() ? unsent_[1] : unsent_[0];
    std::size_t sent = 0;
    const CURLcode code = curl_easy_send(curl_.easy, piece.data(), piece.size(), &sent);
    if (code == CURLE_AGAIN) return true;
    if (code != CURLE_OK) return false;
    mark_sent(sent);
  }
  return true;
}

void Http1Connection::mark_sent(std::size_t bytes) noexcept {
  for (std::string_view& piece : unsent_) {
    const std::size_t here = std::min(bytes, piece.size());
    piece.remove_prefix(here);
    bytes -= here;
  }
}

// True when the answer is whole.
Result<bool> Http1Connection::receive() {
  for (;;) {
    std::array<char, kReadBytes> bytes;
    std::size_t got = 0;
    const CURLcode code = curl_easy_recv(curl_.easy, bytes.data(), bytes.size(), &got);
    if (code == CURLE_AGAIN) return false;
    if (code != CURLE_OK || got == 0) {
      const Result<void> end = reader_.end();
      if (!end) return fail(end.error());
      return true;
    }
    SPANWIRE_TRY(const bool whole, reader_.take({bytes.data(), got}));
    if (whole) return true;
  }
}

}  // namespace spanwire::otlp
