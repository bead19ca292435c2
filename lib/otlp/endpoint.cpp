#include "lib/otlp/endpoint.hpp"

#include <charconv>
#include <utility>

#include "lib/otlp/url.hpp"

namespace spanwire::otlp {
namespace {

tl::unexpected<Error> bad(std::string_view text, std::string_view why) {
  return fail(Errc::invalid_argument, "endpoint '" + std::string(text) + "': " + std::string(why));
}

// unix:PATH, unix://PATH, and for HTTP unix:PATH:/path/of/the/request.
Result<Endpoint> parse_unix(std::string_view text, Protocol protocol) {
  std::string_view rest = text.substr(std::string_view("unix:").size());
  if (rest.starts_with("//")) rest.remove_prefix(2);
  const std::size_t colon = rest.find(":/");
  Endpoint endpoint;
  endpoint.unix_socket = std::string(rest.substr(0, colon));
  endpoint.shown = std::string(text);
  if (endpoint.unix_socket.empty()) return bad(text, "no path of a socket");
  std::string path = colon == std::string_view::npos ? "/" + std::string(kTracesPath)
                                                     : std::string(rest.substr(colon + 1));
  if (protocol == Protocol::grpc) path = kGrpcPath;
  endpoint.url = "http://localhost" + path;
  return endpoint;
}

}  // namespace

Result<Endpoint> parse_endpoint(std::string_view text, Protocol protocol) {
  if (text.starts_with("unix:")) return parse_unix(text, protocol);
  if (text.find("://") == std::string_view::npos) return bad(text, "no http:// or https://");
  Url url(std::string(text), CURLU_NON_SUPPORT_SCHEME);
  if (url.code() != CURLUE_OK) return bad(text, curl_url_strerror(url.code()));
  const std::string scheme = url.part(CURLUPART_SCHEME);
  if (scheme != "http" && scheme != "https") return bad(text, "neither http nor https");
  Endpoint endpoint;
  const std::string port = url.part(CURLUPART_PORT, CURLU_DEFAULT_PORT);
  std::from_chars(port.data(), port.data() + port.size(), endpoint.port);
  if (protocol == Protocol::grpc) {
    url.set(CURLUPART_PATH, std::string(kGrpcPath).c_str());
    url.set(CURLUPART_QUERY, nullptr);
  }
  endpoint.url = url.part(CURLUPART_URL);
  url.set(CURLUPART_PASSWORD, nullptr);
  url.set(CURLUPART_USER, nullptr);
  url.set(CURLUPART_QUERY, nullptr);
  if (protocol == Protocol::grpc) url.set(CURLUPART_PATH, nullptr);
  endpoint.shown = url.part(CURLUPART_URL);
  return endpoint;
}

std::string with_traces_path(std::string_view base) {
  if (base.starts_with("unix:")) return std::string(base);
  std::string result(base);
  const std::size_t query = result.find('?');
  const std::string tail = query == std::string::npos ? "" : result.substr(query);
  if (query != std::string::npos) result.resize(query);
  if (result.empty() || result.back() != '/') result += '/';
  result += kTracesPath;
  return result + tail;
}

}  // namespace spanwire::otlp
