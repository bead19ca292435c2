// Sender: one batch after the other to one receiver of OTLP: repeated while that may help, halved
// where it is too large.  What the batch is made of is its own business.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>

#include "lib/otlp/gzip.hpp"
#include "lib/otlp/http_client.hpp"
#include "lib/otlp/verdict.hpp"
#include "spanwire/base/result.hpp"
#include "spanwire/base/slice.hpp"
#include "spanwire/otlp/otlp_exporter.hpp"
#include "spanwire/trace/exporter.hpp"

namespace spanwire::otlp {

// Spans that are to be sent, in an order that does not change.
class Batch {
 public:
  virtual ~Batch() = default;
  virtual std::size_t size() const noexcept = 0;
  // Appends an ExportTraceServiceRequest with `count` of the spans, from `first` on.
  virtual void encode(std::size_t first, std::size_t count, Buffer& out) = 0;
};

// Where each span of a batch ended up.
struct Outcome {
  std::size_t delivered = 0;
  Error error;  // the last one
  trace::LossReason reason = trace::LossReason::export_failed;

  void add(const Outcome& other);
};

// Makes what senders count visible before there is any: who watches for an increase has to have
// seen the zero.
void show_sender_counters() noexcept;

// The endpoint's text, or the protocol's default.  Fails with invalid_argument.
Result<std::string> shown_endpoint(const OtlpOptions& options);

// How a sender's owner takes part, beyond what an exporter's user may set.
struct SenderOptions {
  std::string user_agent;
  std::chrono::nanoseconds attempt_max = std::chrono::nanoseconds::max();  // of one attempt
  std::function<void(const Error& why)> on_repeat;  // before the pause; none: nobody is told
};

// One thread at a time, but for hasten().
class Sender {
 public:
  // `options` outlive it and have passed check().
  Sender(const OtlpOptions& options, SenderOptions own);

  Outcome deliver(Batch& batch, const WorkTime& time);
  // As HttpClient's.
  void hasten(MonotonicTime deadline) noexcept { client_.hasten(deadline); }
  void relax(MonotonicTime deadline) noexcept { client_.relax(deadline); }
  // Closes the connection and gives the memory back, for good.
  void close() noexcept;

 private:
  struct Part {
    std::size_t first = 0;
    std::size_t count = 0;
  };

  Outcome deliver(Batch& batch, Part part, const WorkTime& time);
  Outcome deliver_halves(Batch& batch, Part part, const WorkTime& time);
  Result<ByteView> encode(Batch& batch, Part part);
  Verdict attempt(ByteView request, const WorkTime& time);
  Outcome settle(const Verdict& verdict, std::size_t spans) const;

  const OtlpOptions& options_;
  const SenderOptions own_;
  std::string shown_endpoint_;
  std::optional<Gzip> gzip_;
  HttpClient client_;
  // Of an encoded batch, before it is compressed; shrinks when the receiver finds one too large.
  std::size_t bytes_max_;
  Buffer plain_;
  Buffer packed_;
};

}  // namespace spanwire::otlp
