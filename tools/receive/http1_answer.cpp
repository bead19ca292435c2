// What a request of HTTP/1 is answered once it is read.
#include <optional>
#include <string>

#include "lib/otlp/gzip.hpp"
#include "tools/receive/http1_request.hpp"

namespace spanwire::tools {
namespace {

constexpr std::string_view kProtobuf = "application/x-protobuf";
constexpr std::string_view kJson = "application/json";

// google.rpc.Code
constexpr int kInvalidArgument = 3;
constexpr int kResourceExhausted = 8;
constexpr int kUnavailable = 14;

std::string_view media_type(std::string_view content_type) {
  std::string_view type = content_type.substr(0, content_type.find(';'));
  while (!type.empty() && type.back() == ' ') type.remove_suffix(1);
  return type;
}

std::string_view phrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 413:
      return "Content Too Large";
    case 415:
      return "Unsupported Media Type";
    case 431:
      return "Request Header Fields Too Large";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Bad Request";
  }
}

}  // namespace

Http1Answer Http1Request::reply(int status, std::string_view type, std::string_view body,
                                std::string_view more_headers) const {
  std::string text = "HTTP/1.1 " + std::to_string(status) + ' ';
  text.append(phrase(status)).append("\r\nContent-Type: ").append(type);
  text.append("\r\nContent-Length: ").append(std::to_string(body.size())).append("\r\n");
  text.append(more_headers);
  if (!keeps_alive_) text.append("Connection: close\r\n");
  text.append("\r\n");
  if (method_ != "HEAD") text.append(body);
  return {std::move(text), !keeps_alive_};
}

Http1Answer Http1Request::refuse_in_words(int status, const std::string& why,
                                          std::string_view more_headers) const {
  return reply(status, "text/plain", why + '\n', more_headers);
}

Http1Answer Http1Request::refuse(int status, int code, const std::string& why) const {
  const bool json = media_type(content_type_) == kJson;
  return reply(status, json ? kJson : kProtobuf,
               json ? otlp::rpc_status_json(code, why) : otlp::rpc_status_protobuf(code, why),
               status == 503 ? "Retry-After: 1\r\n" : "");
}

Http1Answer Http1Request::take() {
  const std::string_view type = media_type(content_type_);
  if (type != kProtobuf && type != kJson) {
    receiver_.refuse("HTTP: content type '" + std::string(type) + "' is neither " +
                     std::string(kProtobuf) + " nor " + std::string(kJson));
    return refuse_in_words(415, "Content-Type: application/x-protobuf or application/json");
  }
  const bool packed = encoding_ == "gzip" || encoding_ == "deflate";
  if (!packed && !encoding_.empty() && encoding_ != "identity") {
    receiver_.refuse("HTTP: content encoding '" + encoding_ + "' is not gzip");
    return refuse_in_words(415, "Content-Encoding: gzip, deflate or none");
  }
  const std::string too_large =
      "more than " + std::to_string(receiver_.body_bytes_max()) + " bytes";
  if (too_large_) return refuse(413, kResourceExhausted, too_large);
  if (busy_) return refuse(503, kUnavailable, "too many requests at one time");
  const BodyFormat format = type == kJson ? BodyFormat::json : BodyFormat::protobuf;
  std::optional<std::string> unpacked;
  if (packed) {
    Result<std::string> content = otlp::gunzip(body_, receiver_.body_bytes_max());
    if (!content) {
      const bool long_one = content.error() == Errc::payload_too_long;
      return long_one ? refuse(413, kResourceExhausted, too_large)
                      : refuse(400, kInvalidArgument, "the body is not " + encoding_);
    }
    unpacked = std::move(*content);
  }
  const IntakeAnswer taken = receiver_.take(unpacked ? *unpacked : body_, format);
  switch (taken.kind) {
    case IntakeAnswer::Kind::malformed:
      return refuse(400, kInvalidArgument, taken.reason);
    case IntakeAnswer::Kind::busy:
      return refuse(503, kUnavailable, taken.reason);
    case IntakeAnswer::Kind::taken:
      break;
  }
  const bool json = format == BodyFormat::json;
  return reply(200, type,
               json ? otlp::export_response_json(taken.rejection)
                    : otlp::export_response_protobuf(taken.rejection));
}

}  // namespace spanwire::tools
