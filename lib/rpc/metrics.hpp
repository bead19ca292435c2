// Counters and histograms of rpc, by the names of docs/metrics.md.  Conventions: OpenTelemetry's
// for RPC metrics.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "spanwire/base/metrics.hpp"
#include "spanwire/rpc/options.hpp"
#include "spanwire/rpc/path.hpp"
#include "spanwire/rpc/status.hpp"
#include "spanwire/trace/span_context.hpp"

namespace spanwire::rpc {

// The calls of one method at one side, by status.  A series is looked up with the first call that
// ends so; from then on counting is an add to the thread's own cells.  Safe from any thread.
class MethodCalls {
 public:
  enum class Side : std::uint8_t { client, server };

  // `method` outlives this.
  constexpr MethodCalls(Side side, std::string_view method) noexcept
      : side_(side), method_(method) {}

  // `at`: when it ended.  A sampled span becomes the exemplar of its bucket.
  void count(StatusCode status, std::chrono::nanoseconds took, const trace::SpanContext& span,
             MonotonicTime at) noexcept;

 private:
  static constexpr std::size_t kStatusCodes = 17;

  BoundedHistogram& look_up(StatusCode status);

  const Side side_;
  const std::string_view method_;
  std::array<std::atomic<BoundedHistogram*>, kStatusCodes> durations_{};
};

// The methods that a client has called.  What is called next is mostly a literal that was called
// before: it is found by its place in memory, other paths by their text.  One thread at a time.
class CalledMethods {
 public:
  MethodCalls& of(const Path& path) {
    const std::string_view text = path.text();
    const Recent& recent = recent_[place(text)];
    const bool same = recent.literal == text.data() && recent.size == text.size();
    return same && path.plain() ? *recent.calls : look_up(path);
  }

 private:
  struct Method {
    explicit Method(std::string_view text) : path(text), calls(MethodCalls::Side::client, path) {}
    std::string path;
    MethodCalls calls;
  };
  struct Recent {
    const char* literal = nullptr;
    std::size_t size = 0;
    MethodCalls* calls = nullptr;
  };

  static constexpr std::size_t kRecent = 16;
  static std::size_t place(std::string_view path) noexcept {
    return (reinterpret_cast<std::uintptr_t>(path.data()) / 8 + path.size()) % kRecent;
  }
  MethodCalls& look_up(const Path& path);

  std::array<Recent, kRecent> recent_{};
  std::unordered_map<std::string_view, std::unique_ptr<Method>> methods_;
  // Of what is beyond kCallSeriesMax: its series is the shared one, as all others are taken.
  MethodCalls others_{MethodCalls::Side::client, "_OTHER"};
};

// Of a path that nobody serves: what it was called stays out of the label.
void count_unknown_call(const trace::SpanContext& span, MonotonicTime at) noexcept;
void count_retry() noexcept;
// One that the budget did not allow.
void count_retry_refused() noexcept;
void count_overload() noexcept;
// A call of a pool that nobody waited for any more when its turn came.
void count_skipped_handler() noexcept;
void count_bad_timeout() noexcept;
void count_bad_header_block() noexcept;

}  // namespace spanwire::rpc
