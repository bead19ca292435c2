#include "lib/otlp/protobuf_schema.hpp"

#include "lib/otlp/otlp_fields.hpp"

namespace spanwire::otlp::schema {
namespace {

extern const Message kAnyValue;

constexpr Field kKeyValueFields[] = {
    {field::kKeyValueKey, "key", Form::text},
    {field::kKeyValueValue, "value", Form::message, false, &kAnyValue},
};
constexpr Message kKeyValue{kKeyValueFields};

constexpr Field kArrayFields[] = {
    {field::kArrayValues, "values", Form::message, true, &kAnyValue},
};
constexpr Message kArray{kArrayFields};

constexpr Field kMapFields[] = {
    {field::kMapValues, "values", Form::message, true, &kKeyValue},
};
constexpr Message kMap{kMapFields};

constexpr Field kAnyValueFields[] = {
    {field::kValueString, "stringValue", Form::text},
    {field::kValueBool, "boolValue", Form::flag},
    {field::kValueInt, "intValue", Form::integer},
    {field::kValueDouble, "doubleValue", Form::real},
    {field::kValueArray, "arrayValue", Form::message, false, &kArray},
    {field::kValueMap, "kvlistValue", Form::message, false, &kMap},
    {field::kValueBytes, "bytesValue", Form::base64},
};
constexpr Message kAnyValue{kAnyValueFields, true, true};

constexpr Field kEventFields[] = {
    {field::kEventTime, "timeUnixNano", Form::time},
    {field::kEventName, "name", Form::text},
    {field::kEventAttributes, "attributes", Form::message, true, &kKeyValue},
    {field::kEventDroppedAttributes, "droppedAttributesCount", Form::count},
};
constexpr Message kEvent{kEventFields};

constexpr Field kLinkFields[] = {
    {field::kLinkTraceId, "traceId", Form::hex},
    {field::kLinkSpanId, "spanId", Form::hex},
    {field::kLinkTraceState, "traceState", Form::text},
    {field::kLinkAttributes, "attributes", Form::message, true, &kKeyValue},
    {field::kLinkDroppedAttributes, "droppedAttributesCount", Form::count},
    {field::kLinkFlags, "flags", Form::fixed32},
};
constexpr Message kLink{kLinkFields};

constexpr Field kStatusFields[] = {
    {field::kStatusMessage, "message", Form::text},
    {field::kStatusCode, "code", Form::count},
};
constexpr Message kStatus{kStatusFields};

constexpr Field kSpanFields[] = {
    {field::kSpanTraceId, "traceId", Form::hex},
    {field::kSpanSpanId, "spanId", Form::hex},
    {field::kSpanTraceState, "traceState", Form::text},
    {field::kSpanParentSpanId, "parentSpanId", Form::hex},
    {field::kSpanFlags, "flags", Form::fixed32},
    {field::kSpanName, "name", Form::text},
    {field::kSpanKind, "kind", Form::count},
    {field::kSpanStart, "startTimeUnixNano", Form::time},
    {field::kSpanEnd, "endTimeUnixNano", Form::time},
    {field::kSpanAttributes, "attributes", Form::message, true, &kKeyValue},
    {field::kSpanDroppedAttributes, "droppedAttributesCount", Form::count},
    {field::kSpanEvents, "events", Form::message, true, &kEvent},
    {field::kSpanDroppedEvents, "droppedEventsCount", Form::count},
    {field::kSpanLinks, "links", Form::message, true, &kLink},
    {field::kSpanDroppedLinks, "droppedLinksCount", Form::count},
    {field::kSpanStatus, "status", Form::message, false, &kStatus},
};
constexpr Message kSpan{kSpanFields, false, false, true};
static_assert(std::size(kSpanFields) <= kFieldsMax);

constexpr Field kScopeFields[] = {
    {field::kScopeName, "name", Form::text},
    {field::kScopeVersion, "version", Form::text},
    {field::kScopeAttributes, "attributes", Form::message, true, &kKeyValue},
    {field::kScopeDroppedAttributes, "droppedAttributesCount", Form::count},
};
constexpr Message kScope{kScopeFields};

constexpr Field kScopeSpansFields[] = {
    {field::kScopeSpansScope, "scope", Form::message, false, &kScope},
    {field::kScopeSpansSpans, "spans", Form::message, true, &kSpan},
    {field::kScopeSpansSchemaUrl, "schemaUrl", Form::text},
};
constexpr Message kScopeSpans{kScopeSpansFields};

constexpr Field kResourceFields[] = {
    {field::kResourceAttributes, "attributes", Form::message, true, &kKeyValue},
    {field::kResourceDroppedAttributes, "droppedAttributesCount", Form::count},
};
constexpr Message kResource{kResourceFields};

constexpr Field kResourceSpansFields[] = {
    {field::kResourceSpansResource, "resource", Form::message, false, &kResource},
    {field::kResourceSpansScopeSpans, "scopeSpans", Form::message, true, &kScopeSpans},
    {field::kResourceSpansSchemaUrl, "schemaUrl", Form::text},
};
constexpr Message kResourceSpans{kResourceSpansFields};

constexpr Field kRequestFields[] = {
    {field::kRequestResourceSpans, "resourceSpans", Form::message, true, &kResourceSpans},
};

}  // namespace

constexpr Message kRequest{kRequestFields};

}  // namespace spanwire::otlp::schema
