#include "lib/otlp/curl_handle.hpp"

#include <algorithm>
#include <chrono>
#include <new>
#include <string>

#include "lib/otlp/http_answer.hpp"

namespace spanwire::otlp {
namespace {

// poll() counts in milliseconds of an int; longer waits are made of several.
constexpr std::chrono::milliseconds kWaitMax{60'000};
// Of HTTP/2 libcurl may have read already what it waits for, an answer or leave to go on sending,
// and its poll does not tell (seen with 7.88, once in a hundred requests of a busy machine): so a
// request that is under way is looked at again soon.
constexpr std::chrono::milliseconds kHttp2WaitMax{10};

MonotonicTime now() noexcept { return Clock::system().monotonic(); }

// Never undone: a process may start tracing anew, and other users of libcurl count on their own.
void init_curl_once() {
  static const CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (code != CURLE_OK) throw std::bad_alloc();
}

}  // namespace

CurlHandle::CurlHandle(const HttpTarget& target) : http2_(target.http2) {
  init_curl_once();
  multi = curl_multi_init();
  easy = curl_easy_init();
  if (multi == nullptr || easy == nullptr) throw std::bad_alloc();
  set(CURLOPT_ERRORBUFFER, text_.data());
  set(CURLOPT_NOSIGNAL, 1L);
  // A name server that does not answer must not hold up the end of the process.
  set(CURLOPT_QUICK_EXIT, 1L);
  set_target(target);
}

CurlHandle::~CurlHandle() {
  curl_easy_cleanup(easy);
  curl_multi_cleanup(multi);
  curl_slist_free_all(headers_);
}

void CurlHandle::add_header(const std::string& line) {
  curl_slist* const longer = curl_slist_append(headers_, line.c_str());
  if (longer == nullptr) throw std::bad_alloc();
  headers_ = longer;
}

void CurlHandle::set_target(const HttpTarget& target) {
  set_text(CURLOPT_URL, target.url);
  set_text(CURLOPT_UNIX_SOCKET_PATH, target.unix_socket);
  set_text(CURLOPT_PROXY, target.proxy);
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  const bool tls = target.url.starts_with("https:");
  if (target.http2) {
    set(CURLOPT_HTTP_VERSION,
        long{tls ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE});
    // A proxy that is spoken to in HTTP/1 passes HTTP/2 on only through a tunnel.
    set(CURLOPT_HTTPPROXYTUNNEL, 1L);
  } else {
    set(CURLOPT_HTTP_VERSION, long{CURL_HTTP_VERSION_1_1});
  }
  add_header("Expect:");
  for (const auto& [name, value] : target.headers) {
    // curl's way to say an empty value.
    add_header(value.empty() ? name + ";" : name + ": " + value);
  }
  set(CURLOPT_HTTPHEADER, headers_);
  set_tls(target);
}

void CurlHandle::set_tls(const HttpTarget& target) {
  set_text(CURLOPT_CAINFO, target.ca_file);
  set_text(CURLOPT_SSLCERT, target.client_certificate_file);
  set_text(CURLOPT_SSLKEY, target.client_key_file);
  set(CURLOPT_SSLVERSION, long{CURL_SSLVERSION_TLSv1_2});
}

Result<void> CurlHandle::transfer(const WorkLimit& limit, const WorkTime& time) {
  text_[0] = '\0';
  if (curl_multi_add_handle(multi, easy) != CURLM_OK) {
    return fail(Errc::export_failed, "libcurl takes no request");
  }
  for (;;) {
    int running = 0;
    curl_multi_perform(multi, &running);
    int waiting = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi, &waiting)) {
      if (message->msg != CURLMSG_DONE) continue;
      if (message->data.result == CURLE_OK) return {};
      return fail(describe(message->data.result));
    }
    if (running == 0) return fail(Errc::export_failed, "libcurl lost the request");
    const MonotonicTime until = limit.of(time);
    if (now() >= until) return fail(late());
    wait(http2_ ? std::min(until, now() + kHttp2WaitMax) : until);
  }
}

void CurlHandle::wait(MonotonicTime until, curl_waitfd* socket) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - now());
  const auto ms = std::clamp(left, std::chrono::milliseconds(0), kWaitMax).count();
  curl_multi_poll(multi, socket, socket != nullptr ? 1 : 0, static_cast<int>(ms), nullptr);
}

Error CurlHandle::late() const {
  curl_off_t resolved = 0;
  curl_off_t connected = 0;
  curl_off_t sent = 0;
  curl_easy_getinfo(easy, CURLINFO_NAMELOOKUP_TIME_T, &resolved);
  curl_easy_getinfo(easy, CURLINFO_PRETRANSFER_TIME_T, &connected);
  curl_easy_getinfo(easy, CURLINFO_SIZE_UPLOAD_T, &sent);
  if (resolved == 0) return {Errc::export_timeout, "while resolving the name"};
  if (connected == 0) return {Errc::export_timeout, "while connecting"};
  return {Errc::export_timeout, "without an answer, " + std::to_string(sent) + " bytes sent"};
}

Error CurlHandle::describe(CURLcode result) const {
  const std::string text = text_[0] != '\0' ? text_.data() : curl_easy_strerror(result);
  switch (result) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
      return {Errc::resolve_failed, text};
    case CURLE_COULDNT_CONNECT:
      return {Errc::connect_failed, text};
    case CURLE_OPERATION_TIMEDOUT:
      return {Errc::export_timeout, text};
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
      return {Errc::export_tls_failed, text};
    case CURLE_WRITE_ERROR:
      return {Errc::export_answer_malformed,
              "longer than " + std::to_string(kAnswerBytesMax) + " bytes"};
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
      return {Errc::export_answer_malformed, text};
    default:
      return {Errc::connection_reset, text};
  }
}

}  // namespace spanwire::otlp
