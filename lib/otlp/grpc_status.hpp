// gRPC's way to say how a call ended: trailers, percent-encoded text, google.rpc.Status.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "spanwire/base/slice.hpp"

namespace spanwire::otlp {

inline constexpr std::size_t kGrpcPrefixBytes = 5;

// The prefix of one message: whether it is compressed, and its length.
void write_grpc_prefix(std::byte* at, bool compressed, std::size_t message_bytes) noexcept;
// The message behind its prefix, without gzip: who is sent gzip may answer in it.  Nothing if there
// is none, if it is cut short or too long.
std::optional<std::string> grpc_message_of(std::string_view body);

// The numbers of gRPC's status codes, as far as OTLP speaks of them.
enum class GrpcCode : int {
  ok = 0,
  cancelled = 1,
  unknown = 2,
  deadline_exceeded = 4,
  resource_exhausted = 8,
  aborted = 10,
  out_of_range = 11,
  unimplemented = 12,
  internal = 13,
  unavailable = 14,
  data_loss = 15,
};
// "UNAVAILABLE"; the number for one that is not above.
std::string grpc_code_name(GrpcCode code);

// grpc-message as it was meant; what is no escape stays.
std::string decode_grpc_message(std::string_view text);
// The delay of the RetryInfo in grpc-status-details-bin; nothing if there is none.
std::optional<std::chrono::nanoseconds> retry_delay_of(std::string_view details_base64);

}  // namespace spanwire::otlp
