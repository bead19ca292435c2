// What is shared by the ways to use libcurl: its handles, set up for a target.
#pragma once

#include <curl/curl.h>

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "lib/otlp/work_limit.hpp"
#include "spanwire/base/result.hpp"

namespace spanwire::otlp {

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

// One thread at a time, but for curl_multi_wakeup().
struct CurlHandle {
  CURLM* multi = nullptr;
  CURL* easy = nullptr;

  explicit CurlHandle(const HttpTarget& target);
  ~CurlHandle();
  CurlHandle(const CurlHandle&) = delete;
  CurlHandle& operator=(const CurlHandle&) = delete;

  template <class Value>
  void set(CURLoption option, Value value) {
    curl_easy_setopt(easy, option, value);
  }
  // The transfer of `easy`, until it is over, fails or is late.  It stays in `multi`.
  Result<void> transfer(const WorkLimit& limit, const WorkTime& time);
  // Until then, or an event of `socket`, or a wake-up.
  void wait(MonotonicTime until, curl_waitfd* socket = nullptr);
  // What went wrong, from the result of a transfer.
  Error describe(CURLcode result) const;

 private:
  Error late() const;
  void set_text(CURLoption option, const std::string& value) {
    if (!value.empty()) curl_easy_setopt(easy, option, value.c_str());
  }
  void add_header(const std::string& line);
  void set_target(const HttpTarget& target);
  void set_tls(const HttpTarget& target);

  const bool http2_;
  curl_slist* headers_ = nullptr;
  std::array<char, CURL_ERROR_SIZE> text_{};
};

}  // namespace spanwire::otlp
