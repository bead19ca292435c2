// A URL in its parts, as libcurl reads it.
#pragma once

#include <curl/curl.h>

#include <memory>
#include <string>

namespace spanwire::otlp {

class Url {
 public:
  explicit Url(const std::string& text, unsigned flags = 0)
      : url_(curl_url()), code_(curl_url_set(url_.get(), CURLUPART_URL, text.c_str(), flags)) {}

  // CURLUE_OK, or why it is none.
  CURLUcode code() const noexcept { return code_; }
  // Empty for what it has not.
  std::string part(CURLUPart which, unsigned flags = 0) const {
    char* text = nullptr;
    if (curl_url_get(url_.get(), which, &text, flags) != CURLUE_OK) return {};
    std::string result(text);
    curl_free(text);
    return result;
  }
  // Null takes a part away.
  void set(CURLUPart which, const char* text) { curl_url_set(url_.get(), which, text, 0); }

 private:
  struct Free {
    void operator()(CURLU* url) const noexcept { curl_url_cleanup(url); }
  };
  std::unique_ptr<CURLU, Free> url_;
  CURLUcode code_;
};

}  // namespace spanwire::otlp
