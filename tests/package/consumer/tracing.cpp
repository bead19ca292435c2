// Links Spanwire::trace alone.
#include <cstdio>
#include <string_view>

#include "spanwire/trace/traceparent.hpp"

int main() {
  constexpr std::string_view kText = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  const auto span = spanwire::trace::parse_traceparent(kText);
  const bool works = span && span->sampled() && span->to_string() == kText;
  std::printf("%s\n", works ? "tracing works" : "tracing is broken");
  return works ? 0 : 1;
}
