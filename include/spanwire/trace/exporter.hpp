// Exporter: where ended spans go.  And the words for what became of them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "spanwire/base/clock.hpp"
#include "spanwire/base/result.hpp"
#include "spanwire/trace/resource.hpp"
#include "spanwire/trace/span_record.hpp"

namespace spanwire::trace {

// Why a recorded span did not reach any exporter's destination.
enum class LossReason : std::uint8_t {
  ring_full,         // the ending thread's ring had no room: the exporter is too slow
  queue_full,        // ProviderOptions::queue_spans_max was reached
  too_many_open,     // ProviderOptions::open_spans_max were open
  too_many_threads,  // kThreadsMax threads had a ring
  export_failed,     // no exporter could deliver it
  export_timeout,    // it was being exported when its time, or that of shutdown(), was up
  exporter_threw,
  no_exporter,    // none is configured, or none works in a forked child
  shut_down,      // ended after shutdown, or still waiting when its deadline passed
  refused,        // the backend did not want it
  too_large,      // it alone is more than the backend takes
  exporter_full,  // more than ProviderOptions::exporter_queue_bytes_max waited for the exporter
};
inline constexpr std::size_t kLossReasons = 12;

// "ring_full"
std::string_view name(LossReason reason) noexcept;

struct LossCounts {
  std::array<std::uint64_t, kLossReasons> spans{};

  std::uint64_t& operator[](LossReason reason) noexcept {
    return spans[static_cast<std::size_t>(reason)];
  }
  std::uint64_t operator[](LossReason reason) const noexcept {
    return spans[static_cast<std::size_t>(reason)];
  }
  std::uint64_t total() const noexcept {
    std::uint64_t sum = 0;
    for (const std::uint64_t count : spans) sum += count;
    return sum;
  }
  // "ring_full 12, export_failed 3"; empty for none.
  std::string to_string() const;
};

// What became of one batch: the first `delivered` spans, or that many of them, are safe; the others
// are lost because of `error`.
struct ExportResult {
  std::size_t delivered = 0;
  Error error;
  LossReason reason = LossReason::export_failed;
};

// One thread at a time: everything but hasten() is called on one thread of the provider's.  An
// exporter may throw or hang; that costs its own spans, which are counted, and nothing else: beside
// other exporters it has a thread and a bounded queue of its own.
class Exporter {
 public:
  virtual ~Exporter() = default;

  // For logs: "file".
  virtual std::string_view name() const noexcept = 0;
  // With what was configured, such as an endpoint; nothing secret.
  virtual std::string describe() const { return std::string(name()); }
  // Before the first batch.
  virtual void start(const Resource& resource) { static_cast<void>(resource); }
  // Delivers `spans` or gives up by `deadline` (Clock::system()).  The views end with the call.
  virtual ExportResult export_batch(std::span<const SpanRecordView> spans,
                                    MonotonicTime deadline) = 0;
  // Passes on whatever export_batch() kept back.
  virtual Result<void> force_flush(MonotonicTime deadline) {
    static_cast<void>(deadline);
    return {};
  }
  // The last call.
  virtual Result<void> shutdown(MonotonicTime deadline) { return force_flush(deadline); }
  // From any thread, while another call is under way: it is now wanted back by `deadline`.
  virtual void hasten(MonotonicTime deadline) noexcept { static_cast<void>(deadline); }

  // In a forked child: a new exporter with the same configuration.  Only looks at what was fixed
  // before start(): the rest of this object may be half-changed, and is never used again.  Null if
  // this exporter does not work in children.
  virtual std::unique_ptr<Exporter> for_child() const { return nullptr; }
};

}  // namespace spanwire::trace
