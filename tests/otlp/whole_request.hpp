// A request in OTLP JSON in which every field of every message has a value.
#pragma once

#include <string>

namespace spanwire::otlp {

// `attributes`: a member, which stands wherever there are attributes.  `further`: behind the span.
inline std::string whole_request(const std::string& attributes, const std::string& further = {}) {
  return R"({"resourceSpans":[{"resource":{)" + attributes +
         R"(,"droppedAttributesCount":9},"scopeSpans":[{"scope":{"name":"scope","version":"1.0",)" +
         attributes +
         R"(,"droppedAttributesCount":8},"spans":[{"traceId":"abababababababababababababababab",)"
         R"("spanId":"cdcdcdcdcdcdcdcd","traceState":"s=1","parentSpanId":"efefefefefefefef",)"
         R"("flags":259,"name":"name","kind":2,"startTimeUnixNano":"1",)"
         R"("endTimeUnixNano":"18446744073709551615",)" +
         attributes +
         R"(,"droppedAttributesCount":1,"events":[{"timeUnixNano":"5","name":"happened",)" +
         attributes +
         R"(,"droppedAttributesCount":6}],"droppedEventsCount":2,"links":[{)"
         R"("traceId":"11111111111111111111111111111111","spanId":"2222222222222222",)"
         R"("traceState":"l=1",)" +
         attributes +
         R"(,"droppedAttributesCount":7,"flags":769}],"droppedLinksCount":3,)"
         R"("status":{"message":"broke","code":2}})" +
         further + R"(],"schemaUrl":"schema/s"}],"schemaUrl":"schema/r"}]})";
}

}  // namespace spanwire::otlp
