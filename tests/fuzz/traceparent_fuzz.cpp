// Any text as traceparent: what is accepted has the shape the specification gives it, comes out
// again as version 00, and has only flags that are defined.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "spanwire/trace/carrier.hpp"

using namespace spanwire;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  trace::SpanContext span;
  const Errc cause = trace::read_traceparent(text, span);
  require((cause == Errc::ok) == span.valid());
  const std::vector<std::pair<std::string, std::string>> carrier = {
      {"traceparent", std::string(text)}, {"request-id", "r"}};
  const trace::Extracted extracted = trace::extract(carrier);
  require(extracted.parent() == span);
  require(extracted.texts().request_id == "r");
  if (cause != Errc::ok) return 0;

  const auto written = trace::traceparent_text(span);
  trace::SpanContext again;
  require(trace::read_traceparent(written, again) == Errc::ok && again == span);
  require(written.view().starts_with("00-") && written.view()[53] == '0');
  const std::size_t first = text.find_first_not_of(" \t");
  require(text.substr(first + 2, 51) == written.view().substr(2, 51));
  return 0;
}
