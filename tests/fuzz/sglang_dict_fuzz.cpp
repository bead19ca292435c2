// Any bytes as SGLang's dict, in JSON, MessagePack and base64: what is read can be written and is
// read again as the same.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "spanwire/base/log.hpp"
#include "spanwire/journey/sglang_dict.hpp"

using namespace spanwire;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

void check(const Result<journey::PropagateContext>& context) {
  if (!context) return;
  require(static_cast<bool>(*context));
  const auto same = [&](const Result<journey::PropagateContext>& again) {
    require(again.has_value());
    require(again->request.span() == context->request.span());
    require(again->request.tracestate() == context->request.tracestate());
    require(again->request.baggage() == context->request.baggage());
    require(again->previous == context->previous);
  };
  same(journey::from_json(journey::to_json(*context)));
  same(journey::from_msgpack(journey::to_msgpack(*context)));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  set_log_level(LogLevel::off);
  const ByteView bytes(reinterpret_cast<const std::byte*>(data), size);
  check(journey::from_json(text_of(bytes)));
  check(journey::from_msgpack(bytes));
  if (const auto rooms = journey::from_base64(text_of(bytes))) {
    const auto again = journey::from_base64(journey::to_base64(*rooms));
    require(again.has_value() && again->size() == rooms->size());
  }
  return 0;
}
