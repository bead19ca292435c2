// Gets one thing after the other from a server, over libcurl.  Internal to inspect.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "spanwire/base/result.hpp"
#include "spanwire/inspect/jaeger.hpp"

namespace spanwire::inspect {

// One thread at a time.  Keeps its connection where the server does.
class HttpGetter {
 public:
  // `headers` go with every request; a value without line ends, a name without a colon.
  explicit HttpGetter(const RequestHeaders& headers = {});
  ~HttpGetter();
  HttpGetter(const HttpGetter&) = delete;
  HttpGetter& operator=(const HttpGetter&) = delete;

  // The status, whatever it is; the body goes to `sink` piece by piece, and no piece is kept here.
  // An error of the sink ends the transfer and is returned.  Else fails with resolve_failed,
  // connect_failed, connection_reset (also where the body ends before its length), query_timeout or
  // answer_not_understood (not HTTP).
  Result<long> get(const std::string& url, std::chrono::nanoseconds timeout,
                   const std::function<Result<void>(std::string_view)>& sink);

 private:
  struct Curl;
  std::unique_ptr<Curl> curl_;
};

}  // namespace spanwire::inspect
