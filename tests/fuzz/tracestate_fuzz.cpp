// Any text as tracestate: what is kept is part of the input, keeps the limits, is accepted again
// unchanged, and can be edited into lists that are accepted, too.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "spanwire/trace/tracestate.hpp"

using namespace spanwire;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const trace::TracestateCheck check = trace::check_tracestate(text);
  if (check.cause != Errc::ok) {
    require(check.text.empty());
    return 0;
  }
  if (check.text.empty()) {
    require(text.find_first_not_of(", \t") == std::string_view::npos);
    return 0;
  }
  require(check.text.data() >= text.data());
  require(check.text.data() + check.text.size() <= text.data() + text.size());
  require(check.text.size() <= trace::kTracestateBytesMax);
  require(check.members >= 1 && check.members <= trace::kTracestateMembersMax);
  require(check.needs_escape == (check.text.find_first_of("\"\\\t") != std::string_view::npos));
  require(trace::check_tracestate(check.text).text == check.text);

  std::uint32_t members = 0;
  std::string_view rest = check.text;
  while (const std::optional<trace::TracestateMember> member =
             trace::next_tracestate_member(rest)) {
    ++members;
    require(trace::tracestate_get(check.text, member->key).has_value());
    const Result<std::string> changed = trace::tracestate_set(check.text, member->key, "x");
    require(changed && trace::check_tracestate(*changed).cause == Errc::ok);
    require(trace::tracestate_get(*changed, member->key) == "x");
  }
  require(members == check.members);
  const Result<std::string> longer = trace::tracestate_set(check.text, "spanwire", "1");
  require(longer && trace::check_tracestate(*longer).cause == Errc::ok);
  for (const std::size_t bytes : {0u, 10u, 512u}) {
    const std::string cut = trace::tracestate_fit(check.text, bytes);
    require(cut.size() <= bytes && trace::check_tracestate(cut).cause == Errc::ok);
  }
  return 0;
}
