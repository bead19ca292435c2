#include "tools/receive/grpc_call.hpp"

#include <optional>

#include "lib/otlp/endpoint.hpp"
#include "lib/otlp/grpc_status.hpp"
#include "lib/otlp/gzip.hpp"

namespace spanwire::tools {
namespace {

constexpr std::size_t kHeaderKeptMax = 200;  // of the few headers that are looked at
constexpr int kInvalidArgument = 3;
constexpr int kResourceExhausted = 8;
constexpr int kUnimplemented = 12;
constexpr int kInternal = 13;
constexpr int kUnavailable = 14;

GrpcAnswer failed(int code, std::string message) { return {200, code, std::move(message), {}}; }

std::uint32_t big_endian(std::string_view bytes) {
  std::uint32_t number = 0;
  for (const char c : bytes) number = number << 8 | static_cast<unsigned char>(c);
  return number;
}

}  // namespace

void GrpcCall::add_header(std::string_view name, std::string_view value) {
  const std::string kept(value.substr(0, kHeaderKeptMax));
  if (name == ":path") path_ = kept;
  if (name == "content-type") content_type_ = kept;
  if (name == "grpc-encoding") encoding_ = kept;
}

void GrpcCall::add_body(std::string_view bytes) {
  if (too_large_ || busy_) return;
  const std::size_t most = receiver_.body_bytes_max() + otlp::kGrpcPrefixBytes;
  too_large_ = bytes.size() > most - body_.size();
  busy_ = !too_large_ && !receiver_.reserve(bytes.size());
  if (!too_large_ && !busy_) body_.append(bytes);
}

GrpcAnswer GrpcCall::answer() {
  if (!content_type_.starts_with("application/grpc")) {
    receiver_.refuse("gRPC: content type '" + content_type_ + "' is not application/grpc");
    return {415, kInvalidArgument, "this is OTLP over gRPC; OTLP over HTTP has another port", {}};
  }
  if (path_ != otlp::kGrpcPath) {
    receiver_.refuse("gRPC: " + path_ + " is not there; traces alone are taken");
    return failed(kUnimplemented, "no method " + path_ + ": traces alone are taken");
  }
  if (too_large_) return too_large();
  if (busy_) return failed(kUnavailable, "too many requests at one time");
  return take();
}

// In gRPC's usual words: exporters look for them, and send smaller requests.
GrpcAnswer GrpcCall::too_large() const {
  return failed(kResourceExhausted, "received message larger than max (" +
                                        std::to_string(receiver_.body_bytes_max()) + " bytes)");
}

GrpcAnswer GrpcCall::take() {
  const std::string_view body = body_;
  if (body.size() < otlp::kGrpcPrefixBytes ||
      big_endian(body.substr(1, 4)) != body.size() - otlp::kGrpcPrefixBytes) {
    return failed(kInternal, "not one whole message");
  }
  std::string_view message = body.substr(otlp::kGrpcPrefixBytes);
  std::optional<Result<std::string>> unpacked;
  if (body.front() != 0) {
    if (encoding_ != "gzip") {
      return failed(kUnimplemented, "no compression '" + encoding_ + "': gzip or none");
    }
    unpacked = otlp::gunzip(message, receiver_.body_bytes_max());
    if (!*unpacked) {
      if (unpacked->error() == Errc::payload_too_long) return too_large();
      return failed(kInvalidArgument, std::string(unpacked->error().detail()));
    }
    message = **unpacked;
  }
  const IntakeAnswer taken = receiver_.take(message, BodyFormat::protobuf);
  if (taken.kind == IntakeAnswer::Kind::malformed) return failed(kInvalidArgument, taken.reason);
  if (taken.kind == IntakeAnswer::Kind::busy) return failed(kUnavailable, taken.reason);
  const std::string response = otlp::export_response_protobuf(taken.rejection);
  std::string whole(otlp::kGrpcPrefixBytes, '\0');
  otlp::write_grpc_prefix(reinterpret_cast<std::byte*>(whole.data()), false, response.size());
  return {200, 0, {}, whole + response};
}

std::string grpc_message_text(std::string_view text) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7F && c != '%') {
      out += c;
      continue;
    }
    out += '%';
    out += kDigits[byte >> 4];
    out += kDigits[byte & 15];
  }
  return out;
}

}  // namespace spanwire::tools
