// The same fields on every carrier make the same context, whatever the propagators are; and what
// one form of it says comes back from that form.  Input: lines of a name, a tab and a value.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "spanwire/trace/frames_carrier.hpp"
#include "spanwire/trace/grpc_carrier.hpp"
#include "spanwire/trace/nats_carrier.hpp"

using namespace spanwire;

namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

void require(bool condition) {
  if (!condition) std::abort();
}

Pairs pairs_of(std::string_view text) {
  Pairs pairs;
  while (!text.empty() && pairs.size() < wire::kHeaderMembersMax) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    const std::size_t tab = std::min(line.find('\t'), line.size());
    pairs.emplace_back(line.substr(0, tab), line.substr(std::min(tab + 1, line.size())));
  }
  return pairs;
}

void require_same(const trace::Extracted& a, const trace::Extracted& b) {
  require(a.parent() == b.parent());
  require(a.texts().tracestate == b.texts().tracestate);
  require(a.texts().baggage == b.texts().baggage);
  require(a.texts().x_request_id == b.texts().x_request_id);
  require(a.texts().request_id == b.texts().request_id);
}

void check_nats(const Pairs& pairs, const trace::Extracted& expected) {
  std::vector<std::byte> room(wire::kHeaderBlockBytesMax);
  wire::NatsHeaderWriter writer{MutableByteView(room)};
  for (const auto& [name, value] : pairs) {
    if (writer.add(name, value) != Errc::ok) return;
  }
  wire::NatsHeaders headers;
  require(headers.parse(writer.finish()) == Errc::ok);
  require_same(trace::extract(headers), expected);
}

// A block has one member of a name: the order of what repeats is lost.
void check_frames(const Pairs& pairs, const trace::Extracted& expected) {
  std::vector<std::byte> room(wire::kHeaderBlockBytesMax);
  wire::HeaderWriter writer{MutableByteView(room)};
  for (const auto& [name, value] : pairs) {
    if (writer.add(name, value) != Errc::ok) return;
  }
  const ByteView parts[] = {bytes_of("path"), writer.finish(), ByteView()};
  trace::FramesCarrier frames;
  require(frames.parse(parts, 1) == Errc::ok);
  require(frames.parse(parts, 3) == Errc::wrong_part_count);
  require(frames.parse(parts, 1) == Errc::ok);
  const trace::Extracted extracted = trace::extract(frames);
  if (frames.headers().duplicates() == 0) require_same(extracted, expected);
}

// A foreign context has no room for the random bit.
void check_forms(const trace::SpanContext& span) {
  if (!span.valid()) return;
  for (const auto form :
       {trace::Propagator::b3, trace::Propagator::b3multi, trace::Propagator::jaeger}) {
    trace::Propagators only;
    only.add(form);
    trace::set_propagators(only);
    Pairs pairs;
    trace::inject(trace::Context(span), pairs);
    const trace::SpanContext back = trace::extract(pairs).parent();
    require(back.trace_id() == span.trace_id() && back.span_id() == span.span_id());
    require(back.sampled() == span.sampled() && back.debug() == span.debug());
  }
}

trace::Propagators all_of(std::initializer_list<int> order) {
  trace::Propagators all;
  for (const int propagator : order) all.add(static_cast<trace::Propagator>(propagator));
  return all;
}

void check(const Pairs& pairs, trace::Propagators propagators) {
  trace::set_propagators(propagators);
  const trace::Extracted expected = trace::extract(pairs);
  require_same(trace::extract(trace::GrpcMetadata(pairs)), expected);
  check_nats(pairs, expected);
  check_frames(pairs, expected);
  check_forms(expected.parent());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Pairs pairs = pairs_of({reinterpret_cast<const char*>(data), size});
  check(pairs, trace::Propagators::w3c());
  check(pairs, all_of({1, 2, 3, 4, 5}));
  check(pairs, all_of({5, 4, 3}));
  return 0;
}
