// Receiver: what happens to a request with spans, whichever way it came.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "spanwire/base/result.hpp"
#include "spanwire/inspect/terminal.hpp"
#include "spanwire/otlp/receiving.hpp"
#include "tools/receive/live_traces.hpp"
#include "tools/receive/trace_folder.hpp"

namespace spanwire::tools {

// Of all requests that are being read at one time.
inline constexpr std::size_t kBodiesInFlightMax = 128u << 20;
// Between two pages at least; more where writing one takes long.
inline constexpr std::chrono::seconds kPagePause{2};
// Of trees that the terminal has not taken yet; later ones are not drawn.
inline constexpr std::size_t kUnprintedBytesMax = 16u << 20;

struct ReceiverOptions {
  LiveOptions live;
  inspect::TextOptions text;
  std::size_t body_bytes_max = 16u << 20;  // of one request, after it is unpacked
  bool draw = true;                        // trees, not only a line for each trace
  bool verify = false;
};

enum class BodyFormat : std::uint8_t { protobuf, json };

struct IntakeAnswer {
  enum class Kind : std::uint8_t { taken, malformed, busy };
  Kind kind = Kind::taken;
  otlp::Rejection rejection;  // of a request that was taken
  std::string reason;         // of one that was not
};

// Where what was taken goes next; full() asks the sender to come back later.
class Onward {
 public:
  virtual ~Onward() = default;
  virtual bool full() const = 0;
  // `spans`: of the request, as many as were taken.
  virtual void push(std::string_view body, BodyFormat format, std::size_t spans) = 0;
};

class Receiver {
 public:
  // `folder` and `onward` may be null, and outlive it.
  Receiver(const ReceiverOptions& options, TraceFolder* folder, Onward* onward);

  // From any thread.
  IntakeAnswer take(std::string_view body, BodyFormat format);
  std::size_t body_bytes_max() const noexcept { return options_.body_bytes_max; }
  // Room for a request while it is being read; false: there is none now.
  bool reserve(std::size_t bytes) noexcept;
  void release(std::size_t bytes) noexcept;
  // Something that is no request of OTLP came; told once per kind, all are counted.
  void refuse(const std::string& what);

  // From the main thread: what is to be printed by now.
  std::string settle();
  // From the main thread: brings the page up to date, now and then.
  void refresh_page();
  // Shows what is left; what is to be printed.
  std::string finish();
  // "3 requests, 12 spans, 2 traces; ..."
  std::string summary() const;
  // All was written; with verify: and nothing was refused, no rule broken.
  bool good() const;

 private:
  void show(const LiveTrace& trace, LiveTraces::Why why);
  void judge(const inspect::TraceSet& set, const std::vector<inspect::Tree>& trees);

  const ReceiverOptions options_;
  TraceFolder* const folder_;
  Onward* const onward_;
  std::atomic<std::size_t> in_flight_{0};
  MonotonicTime page_due_{};
  mutable std::mutex mutex_;  // over all that follows
  LiveTraces live_;
  bool page_is_old_ = false;
  std::string output_;
  std::size_t requests_ = 0;
  std::size_t spans_ = 0;
  std::size_t rejected_ = 0;
  std::size_t malformed_ = 0;
  std::size_t busy_ = 0;
  std::size_t refused_ = 0;
  std::size_t undrawn_ = 0;
  std::size_t judged_ = 0;
  std::size_t failed_ = 0;
  std::string last_refusal_;
};

}  // namespace spanwire::tools
