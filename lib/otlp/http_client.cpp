#include "lib/otlp/http_client.hpp"

#include <algorithm>
#include <new>
#include <string_view>
#include <utility>

#include "lib/base/ascii.hpp"
#include "lib/otlp/environment_reader.hpp"

namespace spanwire::otlp {
namespace {

// What libcurl writes at a time: a batch of usual spans in one piece, so that who receives it is
// woken once.
constexpr long kUploadBytes = 256 << 10;

MonotonicTime now() noexcept { return Clock::system().monotonic(); }

// The message is framed here; and no field ends before its line does.
HttpTarget cleaned(HttpTarget target) {
  std::erase_if(target.headers, [](const auto& header) {
    const std::string name = lower_case(header.first);
    return name == "content-length" || name == "transfer-encoding" || name == "connection";
  });
  for (auto& [name, value] : target.headers) {
    std::replace_if(
        value.begin(), value.end(), [](char c) { return c == '\r' || c == '\n' || c == '\0'; },
        ' ');
  }
  return target;
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
    const std::string name = lower_case(stripped(line.substr(0, colon)));
    const std::string_view value = stripped(line.substr(colon + 1));
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

HttpClient::HttpClient(HttpTarget target) {
  target = cleaned(std::move(target));
  curl_ = std::make_unique<CurlHandle>(target);
  if (Http1Connection::can_speak_to(target)) {
    http1_ = std::make_unique<Http1Connection>(*curl_, target, limit_);
    return;
  }
  curl_->set(CURLOPT_POST, 1L);
  curl_->set(CURLOPT_UPLOAD_BUFFERSIZE, kUploadBytes);
  curl_->set(CURLOPT_WRITEFUNCTION, &take_body);
  curl_->set(CURLOPT_WRITEDATA, &answer_);
  curl_->set(CURLOPT_HEADERFUNCTION, &take_header);
  curl_->set(CURLOPT_HEADERDATA, &answer_);
  constexpr unsigned kFixed = 0x080000;
  clear_http2_ = target.http2 && target.url.starts_with("http:") &&
                 curl_version_info(CURLVERSION_NOW)->version_num < kFixed;
}

HttpClient::~HttpClient() = default;

void HttpClient::hasten(MonotonicTime deadline) noexcept {
  limit_.hasten(deadline);
  const std::scoped_lock lock(waking_);
  if (curl_ != nullptr) curl_multi_wakeup(curl_->multi);
}

void HttpClient::close() noexcept {
  const std::scoped_lock lock(waking_);
  http1_.reset();
  curl_.reset();
}

Result<HttpAnswer> HttpClient::post(ByteView body, const WorkTime& time) {
  return http1_ != nullptr ? http1_->post(body, time) : post_by_libcurl(body, time);
}

Result<HttpAnswer> HttpClient::post_by_libcurl(ByteView body, const WorkTime& time) {
  CurlHandle& curl = *curl_;
  answer_ = HttpAnswer();
  curl.set(CURLOPT_POSTFIELDS, reinterpret_cast<const char*>(body.data()));
  curl.set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
  const Result<void> done = perform(time);
  if (!done) return fail(done.error());
  curl_easy_getinfo(curl.easy, CURLINFO_RESPONSE_CODE, &answer_.status);
  curl_off_t seconds = 0;
  curl_easy_getinfo(curl.easy, CURLINFO_RETRY_AFTER, &seconds);
  if (seconds > 0) answer_.retry_after = std::chrono::seconds(seconds);
  return std::move(answer_);
}

// HTTP/2 in clear text: libcurl before 8.0 announces it anew on a connection that speaks it
// already, and fails.  So a connection that is there is asked for as HTTP/2 that was agreed on; and
// one that is not there any more is made anew, once.
Result<void> HttpClient::perform(const WorkTime& time) {
  for (;;) {
    const bool again = std::exchange(connected_, false);
    if (clear_http2_) {
      curl_->set(CURLOPT_FRESH_CONNECT, again ? 0L : 1L);
      curl_->set(CURLOPT_HTTP_VERSION,
                 long{again ? CURL_HTTP_VERSION_2_0 : CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE});
    }
    Result<void> done = curl_->transfer(limit_, time);
    curl_multi_remove_handle(curl_->multi, curl_->easy);
    connected_ = clear_http2_ && done.has_value();
    if (done || !again || done.error().code() == Errc::export_timeout) return done;
    answer_ = HttpAnswer();
  }
}

bool HttpClient::pause(std::chrono::nanoseconds duration, const WorkTime& time) {
  const MonotonicTime end = now() + duration;
  for (;;) {
    const MonotonicTime until = limit(time);
    // A pause that cannot end in time is none at all.
    if (end >= until) return false;
    if (now() >= end) return true;
    curl_->wait(end);
  }
}

}  // namespace spanwire::otlp
