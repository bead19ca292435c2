#include "lib/otlp/http_client.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <array>
#include <limits>
#include <new>
#include <string_view>
#include <utility>

#include "lib/otlp/environment_reader.hpp"

namespace spanwire::otlp {
namespace {

constexpr std::int64_t kNoHaste = std::numeric_limits<std::int64_t>::max();
// poll() counts in milliseconds of an int; longer waits are made of several.
constexpr std::chrono::milliseconds kWaitMax{60'000};
// What libcurl writes at a time: a batch of usual spans in one piece, so that who receives it is
// woken once.
constexpr long kUploadBytes = 256 << 10;

MonotonicTime now() noexcept { return Clock::system().monotonic(); }

// Never undone: a process may start tracing anew, and other users of libcurl count on their own.
void init_curl_once() {
  static const CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (code != CURLE_OK) throw std::bad_alloc();
}

int wait_milliseconds(MonotonicTime until) noexcept {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - now());
  return static_cast<int>(std::clamp(left, std::chrono::milliseconds(0), kWaitMax).count());
}

std::size_t take_body(char* data, std::size_t, std::size_t bytes, void* to) noexcept {
  auto& answer = *static_cast<HttpAnswer*>(to);
  if (bytes > kAnswerBytesMax - answer.body.size()) return 0;
  try {
    answer.body.append(data, bytes);
  } catch (const std::bad_alloc&) {
    return 0;
  }
  return bytes;
}

// Headers, and behind the body trailers.  A new status line begins a new answer (after a 100).
std::size_t take_header(char* data, std::size_t, std::size_t bytes, void* to) noexcept {
  auto& answer = *static_cast<HttpAnswer*>(to);
  try {
    const std::string_view line(data, bytes);
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0) return bytes;
    const std::string name = lower_case(trimmed(line.substr(0, colon)));
    const std::string_view value = trimmed(line.substr(colon + 1));
    if (name == "content-type") answer.content_type = lower_case(value);
    if (name == "grpc-status") answer.grpc_status = value;
    if (name == "grpc-message") answer.grpc_message = value;
    if (name == "grpc-status-details-bin") answer.grpc_details = value;
  } catch (const std::bad_alloc&) {
    return 0;
  }
  return bytes;
}

}  // namespace

struct HttpClient::Curl {
  CURLM* multi = nullptr;
  CURL* easy = nullptr;
  curl_slist* headers = nullptr;
  HttpAnswer answer;
  std::array<char, CURL_ERROR_SIZE> text{};

  Curl() {
    init_curl_once();
    multi = curl_multi_init();
    easy = curl_easy_init();
    if (multi == nullptr || easy == nullptr) throw std::bad_alloc();
  }
  ~Curl() {
    curl_easy_cleanup(easy);
    curl_multi_cleanup(multi);
    curl_slist_free_all(headers);
  }
  Curl(const Curl&) = delete;
  Curl& operator=(const Curl&) = delete;

  template <class Value>
  void set(CURLoption option, Value value) {
    curl_easy_setopt(easy, option, value);
  }
  void set_text(CURLoption option, const std::string& value) {
    if (!value.empty()) curl_easy_setopt(easy, option, value.c_str());
  }
  void add_header(const std::string& line) {
    curl_slist* const longer = curl_slist_append(headers, line.c_str());
    if (longer == nullptr) throw std::bad_alloc();
    headers = longer;
  }
  void set_target(const HttpTarget& target);
  void set_tls(const HttpTarget& target);
};

void HttpClient::Curl::set_target(const HttpTarget& target) {
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
  set(CURLOPT_HTTPHEADER, headers);
  set_tls(target);
}

void HttpClient::Curl::set_tls(const HttpTarget& target) {
  set_text(CURLOPT_CAINFO, target.ca_file);
  set_text(CURLOPT_SSLCERT, target.client_certificate_file);
  set_text(CURLOPT_SSLKEY, target.client_key_file);
  set(CURLOPT_SSLVERSION, long{CURL_SSLVERSION_TLSv1_2});
}

HttpClient::HttpClient(const HttpTarget& target)
    : curl_(std::make_unique<Curl>()), urgent_ns_(kNoHaste) {
  Curl& curl = *curl_;
  curl.set(CURLOPT_ERRORBUFFER, curl.text.data());
  curl.set(CURLOPT_NOSIGNAL, 1L);
  // A name server that does not answer must not hold up the end of the process.
  curl.set(CURLOPT_QUICK_EXIT, 1L);
  curl.set(CURLOPT_POST, 1L);
  curl.set(CURLOPT_UPLOAD_BUFFERSIZE, kUploadBytes);
  curl.set(CURLOPT_WRITEFUNCTION, &take_body);
  curl.set(CURLOPT_WRITEDATA, &curl.answer);
  curl.set(CURLOPT_HEADERFUNCTION, &take_header);
  curl.set(CURLOPT_HEADERDATA, &curl.answer);
  curl.set_target(target);
  constexpr unsigned kFixed = 0x080000;
  clear_http2_ = target.http2 && target.url.starts_with("http:") &&
                 curl_version_info(CURLVERSION_NOW)->version_num < kFixed;
}

HttpClient::~HttpClient() = default;

MonotonicTime HttpClient::limit(const WorkTime& time) const noexcept {
  const MonotonicTime urgent{std::chrono::nanoseconds(urgent_ns_.load(std::memory_order_acquire))};
  return urgent > time.begin ? std::min(urgent, time.deadline) : time.deadline;
}

void HttpClient::hasten(MonotonicTime deadline) noexcept {
  urgent_ns_.store(deadline.time_since_epoch().count(), std::memory_order_release);
  const std::scoped_lock lock(waking_);
  if (curl_ != nullptr) curl_multi_wakeup(curl_->multi);
}

void HttpClient::close() noexcept {
  const std::scoped_lock lock(waking_);
  curl_.reset();
}

void HttpClient::relax(MonotonicTime deadline) noexcept {
  std::int64_t expected = deadline.time_since_epoch().count();
  urgent_ns_.compare_exchange_strong(expected, kNoHaste, std::memory_order_acq_rel);
}

Result<HttpAnswer> HttpClient::post(ByteView body, const WorkTime& time) {
  Curl& curl = *curl_;
  curl.answer = HttpAnswer();
  curl.text[0] = '\0';
  curl.set(CURLOPT_POSTFIELDS, reinterpret_cast<const char*>(body.data()));
  curl.set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
  const Result<void> done = perform(time);
  if (!done) return fail(done.error());
  curl_easy_getinfo(curl.easy, CURLINFO_RESPONSE_CODE, &curl.answer.status);
  curl_off_t seconds = 0;
  curl_easy_getinfo(curl.easy, CURLINFO_RETRY_AFTER, &seconds);
  if (seconds > 0) curl.answer.retry_after = std::chrono::seconds(seconds);
  return std::move(curl.answer);
}

// HTTP/2 in clear text: libcurl before 8.0 announces it anew on a connection that speaks it
// already, and fails.  So a connection that is there is asked for as HTTP/2 that was agreed on; and
// one that is not there any more is made anew, once.
Result<void> HttpClient::perform(const WorkTime& time) {
  if (!clear_http2_) return run(time);
  for (;;) {
    const bool again = std::exchange(connected_, false);
    curl_->set(CURLOPT_FRESH_CONNECT, again ? 0L : 1L);
    curl_->set(CURLOPT_HTTP_VERSION,
               long{again ? CURL_HTTP_VERSION_2_0 : CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE});
    Result<void> done = run(time);
    connected_ = done.has_value();
    if (done || !again || done.error().code() == Errc::export_timeout) return done;
    curl_->answer = HttpAnswer();
  }
}

// Until the request is answered, fails, or is late.
Result<void> HttpClient::run(const WorkTime& time) {
  Curl& curl = *curl_;
  if (curl_multi_add_handle(curl.multi, curl.easy) != CURLM_OK) {
    return fail(Errc::export_failed, "libcurl takes no request");
  }
  const Result<void> done = wait(time);
  curl_multi_remove_handle(curl.multi, curl.easy);
  return done;
}

Result<void> HttpClient::wait(const WorkTime& time) {
  Curl& curl = *curl_;
  for (;;) {
    int running = 0;
    curl_multi_perform(curl.multi, &running);
    int waiting = 0;
    while (const CURLMsg* message = curl_multi_info_read(curl.multi, &waiting)) {
      if (message->msg != CURLMSG_DONE) continue;
      if (message->data.result == CURLE_OK) return {};
      return fail(describe(message->data.result));
    }
    if (running == 0) return fail(Errc::export_failed, "libcurl lost the request");
    const MonotonicTime until = limit(time);
    if (now() >= until) return fail(late());
    curl_multi_poll(curl.multi, nullptr, 0, wait_milliseconds(until), nullptr);
  }
}

bool HttpClient::pause(std::chrono::nanoseconds duration, const WorkTime& time) {
  const MonotonicTime end = now() + duration;
  for (;;) {
    const MonotonicTime until = limit(time);
    // A pause that cannot end in time is none at all.
    if (end >= until) return false;
    if (now() >= end) return true;
    curl_multi_poll(curl_->multi, nullptr, 0, wait_milliseconds(end), nullptr);
  }
}

Error HttpClient::late() const {
  curl_off_t connected = 0;
  curl_off_t sent = 0;
  curl_easy_getinfo(curl_->easy, CURLINFO_PRETRANSFER_TIME_T, &connected);
  curl_easy_getinfo(curl_->easy, CURLINFO_SIZE_UPLOAD_T, &sent);
  if (connected == 0) return {Errc::export_timeout, "while connecting"};
  return {Errc::export_timeout, "without an answer, " + std::to_string(sent) + " bytes sent"};
}

Error HttpClient::describe(int code) const {
  const auto result = static_cast<CURLcode>(code);
  const std::string text = curl_->text[0] != '\0' ? curl_->text.data() : curl_easy_strerror(result);
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
