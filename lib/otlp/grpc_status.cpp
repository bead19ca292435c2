#include "lib/otlp/grpc_status.hpp"

#include <algorithm>
#include <cstdint>
#include <protozero/pbf_reader.hpp>

#include "lib/base/ascii.hpp"
#include "lib/base/base64.hpp"
#include "lib/otlp/gzip.hpp"
#include "lib/otlp/http_client.hpp"
#include "lib/otlp/otlp_fields.hpp"

namespace spanwire::otlp {
namespace {

using Wire = protozero::pbf_wire_type;

constexpr std::string_view kRetryInfo = "type.googleapis.com/google.rpc.RetryInfo";

std::string_view text_of(const protozero::data_view& view) { return {view.data(), view.size()}; }

// A google.protobuf.Duration.
std::chrono::nanoseconds duration_of(protozero::pbf_reader message) {
  std::chrono::nanoseconds sum{0};
  while (message.next()) {
    switch (message.tag_and_type()) {
      case protozero::tag_and_type(field::kDurationSeconds, Wire::varint): {
        // A day is more than any batch waits for.
        constexpr std::int64_t kDay = 86'400;
        sum += std::chrono::seconds(std::clamp<std::int64_t>(message.get_int64(), 0, kDay));
        break;
      }
      case protozero::tag_and_type(field::kDurationNanos, Wire::varint):
        sum += std::chrono::nanoseconds(message.get_int32());
        break;
      default:
        message.skip();
    }
  }
  return sum;
}

std::optional<std::chrono::nanoseconds> delay_of_any(protozero::pbf_reader any) {
  std::string_view type;
  std::string_view value;
  while (any.next()) {
    switch (any.tag_and_type()) {
      case protozero::tag_and_type(field::kAnyTypeUrl, Wire::length_delimited):
        type = text_of(any.get_view());
        break;
      case protozero::tag_and_type(field::kAnyValue, Wire::length_delimited):
        value = text_of(any.get_view());
        break;
      default:
        any.skip();
    }
  }
  if (type != kRetryInfo) return std::nullopt;
  protozero::pbf_reader info(value.data(), value.size());
  if (info.next(field::kRetryInfoDelay, Wire::length_delimited))
    return duration_of(info.get_message());
  return std::chrono::nanoseconds(0);
}

}  // namespace

void write_grpc_prefix(std::byte* at, bool compressed, std::size_t message_bytes) noexcept {
  at[0] = compressed ? std::byte{1} : std::byte{0};
  for (unsigned i = 0; i < 4; ++i) {
    at[1 + i] = static_cast<std::byte>(message_bytes >> (8 * (3 - i)) & 0xFF);
  }
}

std::optional<std::string> grpc_message_of(std::string_view body) {
  if (body.size() < kGrpcPrefixBytes) return std::nullopt;
  std::size_t bytes = 0;
  for (unsigned i = 0; i < 4; ++i) bytes = bytes << 8 | static_cast<unsigned char>(body[1 + i]);
  if (body.size() - kGrpcPrefixBytes < bytes) return std::nullopt;
  const std::string_view message = body.substr(kGrpcPrefixBytes, bytes);
  if (body[0] == 0) return std::string(message);
  Result<std::string> unpacked = gunzip(message, kAnswerBytesMax);
  return unpacked ? std::optional(std::move(*unpacked)) : std::nullopt;
}

std::string grpc_code_name(GrpcCode code) {
  constexpr std::string_view kNames[] = {"OK",
                                         "CANCELLED",
                                         "UNKNOWN",
                                         "INVALID_ARGUMENT",
                                         "DEADLINE_EXCEEDED",
                                         "NOT_FOUND",
                                         "ALREADY_EXISTS",
                                         "PERMISSION_DENIED",
                                         "RESOURCE_EXHAUSTED",
                                         "FAILED_PRECONDITION",
                                         "ABORTED",
                                         "OUT_OF_RANGE",
                                         "UNIMPLEMENTED",
                                         "INTERNAL",
                                         "UNAVAILABLE",
                                         "DATA_LOSS",
                                         "UNAUTHENTICATED"};
  const auto index = static_cast<std::size_t>(code);
  return index < std::size(kNames) ? std::string(kNames[index]) : std::to_string(index);
}

std::string decode_grpc_message(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const int high = text[i] == '%' && i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
    const int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
    if (low < 0) {
      result += text[i];
      continue;
    }
    result += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return result;
}

std::optional<std::chrono::nanoseconds> retry_delay_of(std::string_view details_base64) {
  const std::string bytes = decode_base64_leniently(details_base64);
  try {
    protozero::pbf_reader status(bytes.data(), bytes.size());
    while (status.next(field::kRpcStatusDetails, Wire::length_delimited)) {
      if (const auto delay = delay_of_any(status.get_message())) return delay;
    }
  } catch (const protozero::exception&) {
    // A backend that cannot write its details asks for nothing.
  }
  return std::nullopt;
}

}  // namespace spanwire::otlp
