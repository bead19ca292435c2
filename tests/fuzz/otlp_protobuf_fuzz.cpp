// Any bytes as a request in OTLP's protobuf: refused with its one error and nothing written, or
// turned into JSON that the JSON reader accounts for, span by span, and that has a way back; and
// into parts that have all of its spans.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "lib/otlp/request_parts.hpp"
#include "spanwire/inspect/reader.hpp"
#include "spanwire/otlp/receiving.hpp"

using namespace spanwire;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

// JSON writes a field's name where protobuf has a tag of one byte.
constexpr std::size_t kGrowthMax = 64;

// Later ways there and back change nothing.
void check_way_back(std::string_view text, std::size_t spans) {
  std::string latest(text);
  for (int round = 0; round < 2; ++round) {
    Buffer request;
    require(otlp::json_to_protobuf(latest, request) == spans);
    Buffer json;
    require(otlp::protobuf_to_json(request.view(), json) == spans);
    require(round == 0 || text_of(json.view()) == latest);
    latest = text_of(json.view());
  }
}

void check_parts(ByteView request) {
  Result<otlp::RequestParts> parts = otlp::RequestParts::read(request);
  if (!parts) return require(parts.error().code() == Errc::otlp_malformed);
  const std::size_t half = parts->size() / 2;
  std::size_t sum = 0;
  for (const auto& [first, count] :
       {std::pair(std::size_t{0}, half), std::pair(half, parts->size() - half)}) {
    Buffer part;
    parts->encode(first, count, part);
    const Result<otlp::RequestParts> again = otlp::RequestParts::read(part.view());
    require(again.has_value());
    sum += again->size();
  }
  require(sum == parts->size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView request(reinterpret_cast<const std::byte*>(data), size);
  Buffer out;
  out.append("x");
  const Result<std::size_t> spans = otlp::protobuf_to_json(request, out);
  check_parts(request);
  if (!spans) {
    require(spans.error().code() == Errc::otlp_malformed && !spans.error().detail().empty());
    require(text_of(out.view()) == "x");
    return 0;
  }
  const std::string_view text = text_of(out.view()).substr(1);
  require(text.size() <= kGrowthMax * (size + 1));
  require(nlohmann::json::accept(text));
  require(text.find('\n') == std::string_view::npos);
  inspect::Reader reader;
  reader.read_text("fuzz", text);
  const inspect::ReadReport& report = reader.report();
  check_way_back(text, *spans);
  require(reader.traces().spans.size() + report.duplicates + report.spans_left_out == *spans);
  return 0;
}
