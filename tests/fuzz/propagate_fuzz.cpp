// Any bytes as either form of a propagate context: what is read is written as the same bytes again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "spanwire/base/log.hpp"
#include "spanwire/journey/propagate.hpp"

using namespace spanwire;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

bool same(const journey::PropagateContext& a, const journey::PropagateContext& b) {
  return a.request.span() == b.request.span() && a.previous == b.previous;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  set_log_level(LogLevel::off);
  const ByteView bytes(reinterpret_cast<const std::byte*>(data), size);
  journey::PropagateContext context;
  if (journey::read_bytes(bytes, context) == Errc::ok) {
    require(static_cast<bool>(context));
    // A previous slice of the same trace that says where it is has a shorter form.
    const journey::PropagateBytes written = journey::to_bytes(context);
    require(written.size <= size);
    journey::PropagateContext again;
    require(journey::read_bytes({written.units.data(), written.size}, again) == Errc::ok);
    require(again.request.span() == context.request.span());
    require(again.previous.span_id() == context.previous.span_id());
    journey::PropagateContext of_text;
    require(journey::read_text(journey::to_text(context).view(), of_text) == Errc::ok);
    require(same(of_text, again));
  }
  journey::PropagateContext of_text;
  if (journey::read_text(text_of(bytes), of_text) == Errc::ok) {
    require(size <= journey::kPropagateTextMax);
    journey::PropagateContext again;
    require(journey::read_text(journey::to_text(of_text).view(), again) == Errc::ok);
    require(again.request.span() == of_text.request.span());
  }
  return 0;
}
