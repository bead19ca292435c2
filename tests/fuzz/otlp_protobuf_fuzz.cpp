// Any bytes as a request in OTLP's protobuf: refused with its one error and nothing written, or
// turned into JSON that the JSON reader accounts for, span by span.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "spanwire/inspect/reader.hpp"
#include "spanwire/otlp/receiving.hpp"

using namespace spanwire;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

// JSON writes a field's name where protobuf has a tag of one byte.
constexpr std::size_t kGrowthMax = 64;

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView request(reinterpret_cast<const std::byte*>(data), size);
  Buffer out;
  out.append("x");
  const Result<std::size_t> spans = otlp::protobuf_to_json(request, out);
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
  require(reader.traces().spans.size() + report.duplicates + report.spans_left_out == *spans);
  return 0;
}
