// Field numbers of OTLP 1.10's messages for traces, as protobuf writes them.
#pragma once

#include <protozero/types.hpp>

namespace spanwire::otlp::field {

using Tag = protozero::pbf_tag_type;

inline constexpr Tag kRequestResourceSpans = 1;

inline constexpr Tag kResponsePartialSuccess = 1;
inline constexpr Tag kPartialRejectedSpans = 1;
inline constexpr Tag kPartialMessage = 2;

inline constexpr Tag kResourceSpansResource = 1;
inline constexpr Tag kResourceSpansScopeSpans = 2;
inline constexpr Tag kResourceSpansSchemaUrl = 3;
inline constexpr Tag kResourceAttributes = 1;
inline constexpr Tag kResourceDroppedAttributes = 2;

inline constexpr Tag kScopeSpansScope = 1;
inline constexpr Tag kScopeSpansSpans = 2;
inline constexpr Tag kScopeSpansSchemaUrl = 3;
inline constexpr Tag kScopeName = 1;
inline constexpr Tag kScopeVersion = 2;
inline constexpr Tag kScopeAttributes = 3;
inline constexpr Tag kScopeDroppedAttributes = 4;

inline constexpr Tag kSpanTraceId = 1;
inline constexpr Tag kSpanSpanId = 2;
inline constexpr Tag kSpanTraceState = 3;
inline constexpr Tag kSpanParentSpanId = 4;
inline constexpr Tag kSpanName = 5;
inline constexpr Tag kSpanKind = 6;
inline constexpr Tag kSpanStart = 7;
inline constexpr Tag kSpanEnd = 8;
inline constexpr Tag kSpanAttributes = 9;
inline constexpr Tag kSpanDroppedAttributes = 10;
inline constexpr Tag kSpanEvents = 11;
inline constexpr Tag kSpanDroppedEvents = 12;
inline constexpr Tag kSpanLinks = 13;
inline constexpr Tag kSpanDroppedLinks = 14;
inline constexpr Tag kSpanStatus = 15;
inline constexpr Tag kSpanFlags = 16;

inline constexpr Tag kEventTime = 1;
inline constexpr Tag kEventName = 2;
inline constexpr Tag kEventAttributes = 3;
inline constexpr Tag kEventDroppedAttributes = 4;

inline constexpr Tag kLinkTraceId = 1;
inline constexpr Tag kLinkSpanId = 2;
inline constexpr Tag kLinkTraceState = 3;
inline constexpr Tag kLinkAttributes = 4;
inline constexpr Tag kLinkDroppedAttributes = 5;
inline constexpr Tag kLinkFlags = 6;

inline constexpr Tag kStatusMessage = 2;
inline constexpr Tag kStatusCode = 3;

inline constexpr Tag kKeyValueKey = 1;
inline constexpr Tag kKeyValueValue = 2;
inline constexpr Tag kValueString = 1;
inline constexpr Tag kValueBool = 2;
inline constexpr Tag kValueInt = 3;
inline constexpr Tag kValueDouble = 4;
inline constexpr Tag kValueArray = 5;
inline constexpr Tag kValueMap = 6;
inline constexpr Tag kValueBytes = 7;
inline constexpr Tag kArrayValues = 1;
inline constexpr Tag kMapValues = 1;

// google.rpc.Status and what is in its details.
inline constexpr Tag kRpcStatusCode = 1;
inline constexpr Tag kRpcStatusMessage = 2;
inline constexpr Tag kRpcStatusDetails = 3;
inline constexpr Tag kAnyTypeUrl = 1;
inline constexpr Tag kAnyValue = 2;
inline constexpr Tag kRetryInfoDelay = 1;
inline constexpr Tag kDurationSeconds = 1;
inline constexpr Tag kDurationNanos = 2;

}  // namespace spanwire::otlp::field
