// OtlpExporter: spans to a collector or a backend, by OTLP over HTTP (protobuf or JSON) or gRPC.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "spanwire/base/result.hpp"
#include "spanwire/trace/exporter.hpp"

namespace spanwire::otlp {

enum class Protocol : std::uint8_t { http_protobuf, http_json, grpc };
enum class Compression : std::uint8_t { none, gzip };

// As OTEL_EXPORTER_OTLP_PROTOCOL writes it: "http/protobuf", "http/json", "grpc".
std::string_view name(Protocol protocol) noexcept;

// How often a batch is sent again when the backend is not there or says that it is busy.
struct RetryOptions {
  unsigned attempts_max = 5;  // the first one counts; 1: never again
  // Pause before the second attempt; each further one is `factor` times as long, at most `last`.
  // What the backend asks for goes before.
  std::chrono::milliseconds first{1000};
  std::chrono::milliseconds last{5000};  // the longest pause of our own
  double factor = 1.5;                   // from one pause to the next
  double jitter = 0.2;                   // each pause is up to this share longer or shorter
};

struct OtlpOptions {
  Protocol protocol = Protocol::http_protobuf;  // http_protobuf, http_json or grpc
  // http:// or https://, host and port; for HTTP with the whole path, as it is; or unix:PATH, for
  // HTTP optionally with a colon and the path of the request behind it.  Empty:
  // http://localhost:4318/v1/traces, for gRPC http://localhost:4317.
  std::string endpoint;
  // With every request, such as a token.  Those that say how long and what the body is
  // (Content-Length, Transfer-Encoding, Content-Type, Content-Encoding, grpc-encoding, TE) and
  // Connection are left out; what would end a line becomes a blank.
  std::vector<std::pair<std::string, std::string>> headers;
  std::chrono::milliseconds timeout{10'000};    // for one batch, retries included; 0: no limit
  Compression compression = Compression::none;  // none or gzip
  std::string ca_file;                          // PEM; empty: the system's
  std::string client_certificate_file;          // PEM; empty: none
  std::string client_key_file;                  // PEM
  std::string proxy;  // URL; empty: as http_proxy, https_proxy and no_proxy say
  // A larger request is split before it is sent; 0: 4 MiB for gRPC, where that is what receivers
  // take, 64 MiB for HTTP.
  std::size_t request_bytes_max = 0;
  RetryOptions retry;  // when and how often to send again
};

// Checks what can be checked without a connection.  Fails with invalid_argument, naming the part.
Result<void> check(const OtlpOptions& options);

// Sends batches one at a time, over one connection that is kept alive.
// - Connection failures and the answers that OTLP calls retryable are tried again until the
//   deadline, which also holds inside of a connect, a send, a receive and a pause.
// - A batch that is too large for the backend is halved, down to single spans.
// - What the backend refuses, also in part, is never sent again; it is reported and counted.
// Works in a forked child.  Construction does no I/O.
class OtlpExporter final : public trace::Exporter {
 public:
  explicit OtlpExporter(OtlpOptions options);
  ~OtlpExporter() override;

  std::string_view name() const noexcept override { return "otlp"; }
  // "otlp grpc http://localhost:4317", without what may stand before an @ in it.
  std::string describe() const override;
  void start(const trace::Resource& resource) override;
  // Fails with the cause of the last attempt: resolve_failed, connect_failed, connection_reset or
  // one of Errc's export group.
  trace::ExportResult export_batch(std::span<const trace::SpanRecordView> spans,
                                   MonotonicTime deadline) override;
  Result<void> force_flush(MonotonicTime deadline) override;
  Result<void> shutdown(MonotonicTime deadline) override;
  void hasten(MonotonicTime deadline) noexcept override;
  std::unique_ptr<trace::Exporter> for_child() const override;

 private:
  struct State;

  const OtlpOptions options_;
  std::unique_ptr<State> state_;  // from start() on
};

}  // namespace spanwire::otlp
