// The headers of a call as the floors write and parse them: the same JSON that our client writes.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace spanwire::bench {

inline constexpr std::string_view kPath = "bench/echo";
inline constexpr std::string_view kTraceId = "4bf92f3577b34da6a3ce929d0e0e4736";
inline constexpr std::string_view kTracestate = "vendor=opaque,other=00f067aa0ba902b7";
inline constexpr std::string_view kRequestId = "req-0123456789abcdef";

// Flat JSON of strings; false for anything else, also for escapes and what is not plain text: a
// floor that takes what no JSON allows would do less than is asked.
template <class OnMember>
bool parse_headers(std::string_view json, OnMember on_member) {
  const char* at = json.data();
  const char* const end = at + json.size();
  if (at == end || *at++ != '{') return false;
  const auto text = [&](std::string_view& out) {
    if (at == end || *at != '"') return false;
    const char* const begin = ++at;
    while (at != end && *at != '"') {
      const auto c = static_cast<unsigned char>(*at);
      if (c < 0x20 || c >= 0x80 || c == '\\') return false;
      ++at;
    }
    if (at == end) return false;
    out = {begin, static_cast<std::size_t>(at - begin)};
    ++at;
    return true;
  };
  for (;;) {
    std::string_view name;
    std::string_view value;
    if (!text(name) || at == end || *at++ != ':' || !text(value) || at == end) return false;
    on_member(name, value);
    if (*at == '}') return at + 1 == end;
    if (*at++ != ',') return false;
  }
}

inline bool hex(std::string_view text) {
  for (const char c : text) {
    if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) return false;
  }
  return true;
}

inline bool good_traceparent(std::string_view text) {
  return text.size() == 55 && text.substr(0, 3) == "00-" && text[35] == '-' && text[52] == '-' &&
         hex(text.substr(3, 32)) && hex(text.substr(36, 16)) && hex(text.substr(53, 2));
}

// Whether it is JSON with a traceparent that is one.
inline bool good_headers(std::string_view json) {
  bool good = false;
  const bool parsed = parse_headers(json, [&](std::string_view name, std::string_view value) {
    if (name == "traceparent") good = good_traceparent(value);
  });
  return parsed && good;
}

// The headers that our own client writes for such a call, with a span id of their own.
class HeadersByHand {
 public:
  void write() {
    span_id_ = span_id_ * 6364136223846793005u + 1442695040888963407u;
    std::array<char, 16> span;
    for (std::size_t i = 0; i < span.size(); ++i) {
      span[i] = "0123456789abcdef"[(span_id_ >> (60 - 4 * i)) & 15];
    }
    text_.assign("{\"traceparent\":\"00-")
        .append(kTraceId)
        .append("-")
        .append(span.data(), span.size());
    text_.append("-01\",\"tracestate\":\"").append(kTracestate).append("\",\"x-request-id\":\"");
    text_.append(kRequestId).append("\",\"spanwire-timeout\":\"30000000u\"}");
  }
  std::string_view text() const { return text_; }

 private:
  std::string text_;
  std::uint64_t span_id_ = 0x00f067aa0ba902b7u;
};

}  // namespace spanwire::bench
