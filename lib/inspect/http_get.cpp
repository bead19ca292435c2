#include "lib/inspect/http_get.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <array>
#include <new>

namespace spanwire::inspect {
namespace {

using Sink = std::function<Result<void>(std::string_view)>;

// What one transfer needs from the callback.
struct Transfer {
  const Sink* sink;
  Error error;
};

std::size_t take_body(char* data, std::size_t, std::size_t bytes, void* to) noexcept {
  auto& transfer = *static_cast<Transfer*>(to);
  try {
    const Result<void> taken = (*transfer.sink)(std::string_view(data, bytes));
    if (taken) return bytes;
    transfer.error = taken.error();
  } catch (const std::bad_alloc&) {
    transfer.error = Error(Errc::out_of_memory_budget);
  }
  return 0;
}

Errc cause_of(CURLcode code) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
      return Errc::resolve_failed;
    case CURLE_COULDNT_CONNECT:
      return Errc::connect_failed;
    case CURLE_OPERATION_TIMEDOUT:
      return Errc::query_timeout;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
      return Errc::invalid_argument;
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
      return Errc::answer_not_understood;
    default:
      return Errc::connection_reset;
  }
}

}  // namespace

struct HttpGetter::Curl {
  CURL* easy = nullptr;
  curl_slist* headers = nullptr;
  std::array<char, CURL_ERROR_SIZE> text{};

  Curl() {
    static const CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);
    easy = code == CURLE_OK ? curl_easy_init() : nullptr;
    if (easy == nullptr) throw std::bad_alloc();
  }
  ~Curl() {
    curl_easy_cleanup(easy);
    curl_slist_free_all(headers);
  }
  Curl(const Curl&) = delete;
  Curl& operator=(const Curl&) = delete;
};

HttpGetter::HttpGetter(const RequestHeaders& headers) : curl_(std::make_unique<Curl>()) {
  CURL* const easy = curl_->easy;
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, curl_->text.data());
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, long{CURL_HTTP_VERSION_1_1});
  curl_easy_setopt(easy, CURLOPT_USERAGENT, "spanwire");
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &take_body);
  for (const auto& [name, value] : headers) {
    curl_slist* const longer = curl_slist_append(curl_->headers, (name + ": " + value).c_str());
    if (longer == nullptr) throw std::bad_alloc();
    curl_->headers = longer;
  }
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, curl_->headers);
}

HttpGetter::~HttpGetter() = default;

Result<long> HttpGetter::get(const std::string& url, std::chrono::nanoseconds timeout,
                             const Sink& sink) {
  CURL* const easy = curl_->easy;
  Transfer transfer{&sink, {}};
  curl_->text[0] = '\0';
  const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(timeout).count();
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS,
                   static_cast<long>(std::clamp<long long>(milliseconds, 1, 86'400'000)));
  curl_easy_setopt(easy, CURLOPT_URL, url.c_str());
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &transfer);
  const CURLcode code = curl_easy_perform(easy);
  if (code == CURLE_WRITE_ERROR) return fail(transfer.error);
  if (code != CURLE_OK) {
    const char* text = curl_->text[0] != '\0' ? curl_->text.data() : curl_easy_strerror(code);
    return fail(cause_of(code), url + ": " + text);
  }
  long status = 0;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  return status;
}

}  // namespace spanwire::inspect
