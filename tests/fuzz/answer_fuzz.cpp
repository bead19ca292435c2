// Any bytes as an answer of a backend: what is understood is JSON, and the ranges that are kept of
// it are whole values of it.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string_view>

#include "lib/inspect/answer.hpp"
#include "spanwire/inspect/expectations.hpp"

using namespace spanwire;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

bool is_object(std::string_view text, inspect::ByteRange range) {
  return range.begin < range.end && range.end <= text.size() && text[range.begin] == '{' &&
         nlohmann::json::accept(text.substr(range.begin, range.end - range.begin));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const Result<inspect::AnswerFacts> facts = inspect::scan_answer_text(text, "sglang");
  if (!facts) {
    require(facts.error().code() == Errc::answer_not_understood);
  } else {
    require(nlohmann::json::accept(text));
    require(facts->result.end == 0 || is_object(text, facts->result));
    require(facts->foreign <= facts->traces.size() && facts->traces.size() <= facts->spans);
    for (const inspect::ByteRange& range : facts->resources) require(is_object(text, range));
  }
  const Result<inspect::Expectations> expected = inspect::parse_expectations(text);
  require(expected || expected.error().code() == Errc::file_malformed);
  return 0;
}
