// Any text as baggage: what is left keeps the limits and is accepted again unchanged; a value of
// any bytes that is set comes back.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "spanwire/trace/baggage.hpp"
#include "spanwire/wire/utf8.hpp"

using namespace spanwire;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  std::string rebuilt;
  const trace::BaggageCheck check = trace::check_baggage(text, rebuilt);
  require(check.text.size() <= trace::kBaggageBytesMax);
  require(check.members <= trace::kBaggageMembersMax);
  std::string unused;
  const trace::BaggageCheck again = trace::check_baggage(check.text, unused);
  require(again.cause == Errc::ok && again.text == check.text && again.members == check.members);
  require(check.needs_escape || check.text.find_first_of("\"\\\t") == std::string_view::npos);

  std::uint32_t members = 0;
  std::string_view rest = check.text;
  while (const std::optional<trace::BaggageMember> member = trace::next_baggage_member(rest)) {
    ++members;
    require(!member->key.empty());
    require(wire::valid_utf8(member->value()));
    require(trace::baggage_find(check.text, member->key).has_value());
  }
  require(members == check.members);

  const Result<std::string> set = trace::baggage_set(check.text, "fuzz", text);
  if (!set) return 0;
  std::string of_set;
  require(trace::check_baggage(*set, of_set).cause == Errc::ok);
  const std::optional<std::string> value = trace::baggage_get(*set, "fuzz");
  require(value.has_value());
  require(!wire::valid_utf8(text) || *value == text);
  return 0;
}
