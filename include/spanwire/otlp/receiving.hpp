// What a receiver of traces needs: requests read and answers written (OTLP 1.10, "OTLP/gRPC" and
// "OTLP/HTTP").  Pure functions, safe from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "spanwire/base/result.hpp"
#include "spanwire/base/slice.hpp"

namespace spanwire::otlp {

// Lists and maps inside of one another in an attribute; more is refused.
inline constexpr std::size_t kReceivedDepthMax = 64;

// Appends an ExportTraceServiceRequest as OTLP's JSON encoding has it: one object, no line break.
// Everything that OTLP 1.10 knows comes along; fields of later versions are left out.  Where a
// field that stands once came twice the last one counts; bytes that are not UTF-8 become U+FFFD.
// Returns how many spans it has.  Fails with otlp_malformed, which names the place; `out` is then
// as it was.
Result<std::size_t> protobuf_to_json(ByteView request, Buffer& out);

// The reverse: appends OTLP's JSON as an ExportTraceServiceRequest.  Numbers may be text and text
// ids base64, names may be those of protobuf's definition; members that OTLP 1.10 does not know are
// left out.  Returns how many spans it has.  Fails with otlp_malformed, which names the place;
// `out` is then as it was.
Result<std::size_t> json_to_protobuf(std::string_view request, Buffer& out);

// What was not taken of a request that was.
struct Rejection {
  std::uint64_t spans = 0;
  std::string reason;  // for people
};

// An ExportTraceServiceResponse; a rejection of no spans and without a reason is left out.
std::string export_response_protobuf(const Rejection& rejection);
std::string export_response_json(const Rejection& rejection);

// A google.rpc.Status, for a request that was not taken.  `code` is gRPC's.
std::string rpc_status_protobuf(int code, std::string_view message);
std::string rpc_status_json(int code, std::string_view message);

}  // namespace spanwire::otlp
