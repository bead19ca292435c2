#include "lib/admin/http_request.hpp"

#include <algorithm>

#include "lib/base/ascii.hpp"

namespace spanwire::admin {
namespace {

constexpr int kBadRequest = 400;
constexpr int kMethodNotAllowed = 405;
constexpr int kVersionNotSupported = 505;

// A character of a token: a method's or a field's name.
bool is_token(char c) noexcept {
  constexpr std::string_view kOthers = "!#$%&'*+-.^_`|~";
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         kOthers.find(c) != std::string_view::npos;
}
bool is_token(std::string_view text) noexcept {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return is_token(c); });
}
bool is_visible(std::string_view text) noexcept {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

std::string_view take_line(std::string_view& text) noexcept {
  const std::size_t end = std::min(text.find('\n'), text.size());
  std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

bool is_accept(std::string_view name) noexcept {
  constexpr std::string_view kAccept = "accept";
  return std::equal(name.begin(), name.end(), kAccept.begin(), kAccept.end(), [](char a, char b) {
    return (a >= 'A' && a <= 'Z' ? static_cast<char>(a + 32) : a) == b;
  });
}

int read_line(std::string_view line, HttpRequest& request) {
  const std::size_t first = line.find(' ');
  const std::size_t second = line.rfind(' ');
  if (first == std::string_view::npos || first == second) return kBadRequest;
  const std::string_view method = line.substr(0, first);
  const std::string_view target = line.substr(first + 1, second - first - 1);
  const std::string_view version = line.substr(second + 1);
  const bool http = version.size() == 8 && version.starts_with("HTTP/") && version[6] == '.';
  if (!is_token(method) || target.empty() || !is_visible(target) || !http) return kBadRequest;
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return kVersionNotSupported;
  request.head = method == "HEAD";
  if (method != "GET" && !request.head) return kMethodNotAllowed;
  request.path = target.substr(0, std::min(target.find('?'), target.size()));
  return 0;
}

int read_field(std::string_view line, HttpRequest& request) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) return kBadRequest;
  const std::string_view value = trimmed(line.substr(colon + 1));
  const bool clean = std::none_of(value.begin(), value.end(), [](char c) {
    return (static_cast<unsigned char>(c) < ' ' && c != '\t') || c == 0x7f;
  });
  if (!clean) return kBadRequest;
  if (is_accept(line.substr(0, colon))) {
    request.accept.append(request.accept.empty() ? "" : ",").append(value);
  }
  return 0;
}

std::string_view reason(int status) noexcept {
  switch (status) {
    case 200:
      return "OK";
    case kBadRequest:
      return "Bad Request";
    case 404:
      return "Not Found";
    case kMethodNotAllowed:
      return "Method Not Allowed";
    case 431:
      return "Request Header Fields Too Large";
    case 503:
      return "Service Unavailable";
    case kVersionNotSupported:
      return "HTTP Version Not Supported";
    default:
      return "Unknown";
  }
}

}  // namespace

std::size_t head_end(std::string_view text) noexcept {
  for (std::size_t at = text.find('\n'); at != std::string_view::npos;
       at = text.find('\n', at + 1)) {
    const std::string_view next = text.substr(at + 1);
    if (next.starts_with('\n')) return at + 2;
    if (next.starts_with("\r\n")) return at + 3;
  }
  return std::string_view::npos;
}

HttpRequest parse_request(std::string_view head) {
  HttpRequest request;
  request.refused = read_line(take_line(head), request);
  while (request.refused == 0) {
    const std::string_view line = take_line(head);
    if (line.empty()) break;
    request.refused = read_field(line, request);
  }
  return request;
}

std::string http_answer(int status, std::string_view content_type, std::string_view body,
                        bool head_only) {
  std::string text = "HTTP/1.1 " + std::to_string(status) + " ";
  text.append(reason(status)).append("\r\nContent-Type: ").append(content_type);
  text += "\r\nContent-Length: " + std::to_string(body.size());
  if (status == kMethodNotAllowed) text += "\r\nAllow: GET, HEAD";
  text += "\r\nConnection: close\r\n\r\n";
  if (!head_only) text += body;
  return text;
}

}  // namespace spanwire::admin
