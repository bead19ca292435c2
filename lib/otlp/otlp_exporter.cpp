#include "spanwire/otlp/otlp_exporter.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "lib/otlp/backoff.hpp"
#include "lib/otlp/endpoint.hpp"
#include "lib/otlp/grpc_status.hpp"
#include "lib/otlp/gzip.hpp"
#include "lib/otlp/http_client.hpp"
#include "lib/otlp/verdict.hpp"
#include "spanwire/base/counters.hpp"
#include "spanwire/base/log.hpp"
#include "spanwire/base/random.hpp"
#include "spanwire/otlp/encode_json.hpp"
#include "spanwire/otlp/encode_protobuf.hpp"

namespace spanwire::otlp {
namespace {

using Spans = std::span<const trace::SpanRecordView>;

constexpr std::size_t kHttpBytesMax = 64u << 20;
constexpr std::size_t kGrpcBytesMax = 4u << 20;

constinit NamedCounter requests_sent("spanwire.otlp.requests_sent");
constinit NamedCounter requests_repeated("spanwire.otlp.requests_repeated");
constinit NamedCounter batches_split("spanwire.otlp.batches_split");
constinit NamedCounter spans_rejected("spanwire.otlp.spans_rejected");
constinit NamedCounter bytes_sent("spanwire.otlp.bytes_sent");
constinit NamedHistogram export_ns("spanwire.otlp.export_ns");

MonotonicTime now() noexcept { return Clock::system().monotonic(); }

std::string_view default_endpoint(Protocol protocol) noexcept {
  return protocol == Protocol::grpc ? "http://localhost:4317" : "http://localhost:4318/v1/traces";
}

Result<Endpoint> endpoint_of(const OtlpOptions& options) {
  return parse_endpoint(
      options.endpoint.empty() ? default_endpoint(options.protocol) : options.endpoint,
      options.protocol);
}

std::size_t bytes_max(const OtlpOptions& options) noexcept {
  if (options.request_bytes_max != 0) return options.request_bytes_max;
  return options.protocol == Protocol::grpc ? kGrpcBytesMax : kHttpBytesMax;
}

HttpTarget target_of(const OtlpOptions& options, const Endpoint& endpoint,
                     const std::string& user_agent) {
  HttpTarget target;
  target.url = endpoint.url;
  target.unix_socket = endpoint.unix_socket;
  target.http2 = options.protocol == Protocol::grpc;
  target.ca_file = options.ca_file;
  target.client_certificate_file = options.client_certificate_file;
  target.client_key_file = options.client_key_file;
  target.proxy = options.proxy;
  target.headers = options.headers;
  const bool gzip = options.compression == Compression::gzip;
  const auto add = [&target](const char* name, std::string value) {
    target.headers.emplace_back(name, std::move(value));
  };
  add("user-agent", user_agent);
  switch (options.protocol) {
    case Protocol::http_protobuf:
      add("content-type", "application/x-protobuf");
      break;
    case Protocol::http_json:
      add("content-type", "application/json");
      break;
    case Protocol::grpc:
      add("content-type", "application/grpc");
      add("te", "trailers");
      if (gzip) add("grpc-encoding", "gzip");
      return target;
  }
  if (gzip) add("content-encoding", "gzip");
  return target;
}

// Where each of the spans of a batch, or of a part of one, ended up.
struct Outcome {
  std::size_t delivered = 0;
  Error error;
  trace::LossReason reason = trace::LossReason::export_failed;

  void add(const Outcome& other) {
    delivered += other.delivered;
    if (other.error != Error()) *this = {delivered, other.error, other.reason};
  }
};

trace::LossReason reason_of(const Error& error) noexcept {
  switch (error.code()) {
    case Errc::export_refused:
    case Errc::export_partly_refused:
      return trace::LossReason::refused;
    case Errc::export_too_large:
      return trace::LossReason::too_large;
    case Errc::export_timeout:
      return trace::LossReason::export_timeout;
    default:
      return trace::LossReason::export_failed;
  }
}

// The protocol and the port of the other kind: the mistake that everybody makes once.
Error with_hint(const Error& error, Protocol protocol) {
  const bool grpc = protocol == Protocol::grpc;
  // A server of HTTP/1 may end the connection without a word when it is spoken to in HTTP/2.
  const bool odd = error.code() == Errc::export_answer_malformed ||
                   (grpc && error.code() == Errc::connection_reset);
  if (!odd) return error;
  return {error.code(), std::string(error.detail()) + "; if this is the port of OTLP over " +
                            (grpc ? "HTTP" : "gRPC") + ", set OTEL_EXPORTER_OTLP_PROTOCOL=" +
                            (grpc ? "http/protobuf" : "grpc")};
}

Outcome lost(const Error& error) { return {0, error, reason_of(error)}; }

}  // namespace

std::string_view name(Protocol protocol) noexcept {
  switch (protocol) {
    case Protocol::http_protobuf:
      return "http/protobuf";
    case Protocol::http_json:
      return "http/json";
    case Protocol::grpc:
      return "grpc";
  }
  return "unknown";
}

Result<void> check(const OtlpOptions& options) {
  SPANWIRE_TRY_VOID(endpoint_of(options));
  const auto bad = [](std::string_view text) {
    return text.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos;
  };
  for (const auto& [name, value] : options.headers) {
    if (name.empty() || name.find_first_of(": ") != std::string::npos || bad(name) || bad(value)) {
      return fail(Errc::invalid_argument, "header '" + name + "'");
    }
  }
  if (options.client_key_file.empty() != options.client_certificate_file.empty()) {
    return fail(Errc::invalid_argument, "a client's certificate and its key come together");
  }
  return {};
}

struct OtlpExporter::State {
  State(const OtlpOptions& opts, const trace::Resource& resource);

  Outcome deliver(Spans spans, const WorkTime& time);
  Outcome deliver_halves(Spans spans, const WorkTime& time);
  Result<ByteView> encode(Spans spans);
  Verdict attempt(ByteView request, const WorkTime& time);
  Outcome settle(const Verdict& verdict, std::size_t spans) const;

  const OtlpOptions& options;
  std::string shown_endpoint;
  std::optional<Error> broken;  // nothing can ever be sent
  std::optional<ProtobufEncoder> protobuf;
  std::optional<JsonEncoder> json;
  std::optional<Gzip> gzip;
  std::optional<HttpClient> client;
  // Of an encoded batch, before it is compressed; shrinks when the backend finds one too large.
  std::size_t bytes_max;
  Buffer plain;
  Buffer packed;
};

OtlpExporter::State::State(const OtlpOptions& opts, const trace::Resource& resource)
    : options(opts), bytes_max(otlp::bytes_max(opts)) {
  const Result<Endpoint> endpoint = endpoint_of(options);
  const Result<void> checked = check(options);
  if (!endpoint || !checked) {
    broken = endpoint ? checked.error() : endpoint.error();
    return;
  }
  shown_endpoint = endpoint->shown;
  const std::string* version = resource.text("telemetry.sdk.version");
  const std::string number = version != nullptr ? *version : "0";
  client.emplace(
      target_of(options, *endpoint, "spanwire/" + number + " OTel-OTLP-Exporter-cpp/" + number));
  if (options.compression == Compression::gzip) gzip.emplace();
  if (options.protocol == Protocol::http_json) {
    json.emplace(resource);
  } else {
    protobuf.emplace(resource);
  }
}

// The request's body; borrowed until the next call.
Result<ByteView> OtlpExporter::State::encode(Spans spans) {
  const bool grpc = options.protocol == Protocol::grpc;
  const std::size_t prefix = grpc ? kGrpcPrefixBytes : 0;
  plain.clear();
  plain.reserve(prefix);
  plain.commit(prefix);
  json ? json->encode(spans, plain) : protobuf->encode(spans, plain);
  const ByteView message = plain.view().subspan(prefix);
  if (message.size() > bytes_max) {
    return fail(Errc::export_too_large, std::to_string(message.size()) + " bytes");
  }
  if (!gzip) {
    if (grpc) write_grpc_prefix(plain.data(), false, message.size());
    return plain.view();
  }
  packed.clear();
  packed.reserve(prefix);
  packed.commit(prefix);
  SPANWIRE_TRY_VOID(gzip->compress(message, packed));
  if (grpc) write_grpc_prefix(packed.data(), true, packed.size() - prefix);
  return packed.view();
}

Verdict OtlpExporter::State::attempt(ByteView request, const WorkTime& time) {
  requests_sent.add();
  bytes_sent.add(static_cast<std::int64_t>(request.size()));
  const Result<HttpAnswer> answer = client->post(request, time);
  if (!answer) return judge_failure(with_hint(answer.error(), options.protocol));
  return options.protocol == Protocol::grpc ? judge_grpc(*answer) : judge_http(*answer);
}

Outcome OtlpExporter::State::settle(const Verdict& verdict, std::size_t spans) const {
  const auto rejected = static_cast<std::size_t>(std::min<std::uint64_t>(verdict.rejected, spans));
  if (rejected != 0) {
    spans_rejected.add(static_cast<std::int64_t>(rejected));
    return {spans - rejected,
            Error(Errc::export_partly_refused, std::to_string(rejected) + " of " +
                                                   std::to_string(spans) +
                                                   " spans: " + verdict.warning),
            trace::LossReason::refused};
  }
  if (!verdict.warning.empty()) {
    log_warn("the backend warns", {{"endpoint", shown_endpoint}, {"says", verdict.warning}});
  }
  return {spans, {}, {}};
}

Outcome OtlpExporter::State::deliver_halves(Spans spans, const WorkTime& time) {
  batches_split.add();
  const std::size_t half = spans.size() / 2;
  Outcome outcome = deliver(spans.first(half), time);
  outcome.add(deliver(spans.subspan(half), time));
  return outcome;
}

Outcome OtlpExporter::State::deliver(Spans spans, const WorkTime& time) {
  const Result<ByteView> request = encode(spans);
  if (!request) {
    const bool parts = request.error().code() == Errc::export_too_large && spans.size() > 1;
    return parts ? deliver_halves(spans, time) : lost(request.error());
  }
  Backoff backoff(options.retry);
  for (unsigned attempts = 1;; ++attempts) {
    if (now() >= client->limit(time)) return lost(Errc::export_timeout);
    const Verdict verdict = attempt(*request, time);
    if (verdict.kind == Verdict::Kind::delivered) return settle(verdict, spans.size());
    if (verdict.kind == Verdict::Kind::too_large && spans.size() > 1) {
      // Later batches of this size need not be sent to be refused.
      const std::size_t prefix = options.protocol == Protocol::grpc ? kGrpcPrefixBytes : 0;
      bytes_max = std::min(bytes_max, plain.size() - prefix - 1);
      return deliver_halves(spans, time);
    }
    const bool again = verdict.kind == Verdict::Kind::again;
    if (!again || attempts >= options.retry.attempts_max) return lost(verdict.error);
    const std::chrono::nanoseconds own = backoff.next(Random::of_thread());
    if (!client->pause(verdict.pause.value_or(own), time)) return lost(verdict.error);
    requests_repeated.add();
  }
}

OtlpExporter::OtlpExporter(OtlpOptions options) : options_(std::move(options)) {}

OtlpExporter::~OtlpExporter() = default;

std::string OtlpExporter::describe() const {
  const Result<Endpoint> endpoint = endpoint_of(options_);
  return "otlp " + std::string(otlp::name(options_.protocol)) + " " +
         (endpoint ? endpoint->shown : std::string("(no valid endpoint)"));
}

void OtlpExporter::start(const trace::Resource& resource) {
  state_ = std::make_unique<State>(options_, resource);
}

trace::ExportResult OtlpExporter::export_batch(Spans spans, MonotonicTime deadline) {
  if (state_ == nullptr) return {0, Error(Errc::export_failed, "not started")};
  if (state_->broken) return {0, *state_->broken};
  const MonotonicTime begin = now();
  if (options_.timeout.count() > 0) deadline = std::min(deadline, begin + options_.timeout);
  const Outcome outcome = state_->deliver(spans, {begin, deadline});
  export_ns.record(static_cast<std::uint64_t>((now() - begin).count()));
  Error error = outcome.error;
  if (error != Error()) {
    std::string sentence = state_->shown_endpoint;
    if (!error.detail().empty()) sentence.append(": ").append(error.detail());
    error = Error(error.code(), std::move(sentence));
  }
  return {outcome.delivered, std::move(error), outcome.reason};
}

Result<void> OtlpExporter::force_flush(MonotonicTime deadline) {
  if (state_ != nullptr && state_->client) state_->client->relax(deadline);
  return {};
}

Result<void> OtlpExporter::shutdown(MonotonicTime) {
  if (state_ == nullptr) return {};
  state_->broken = Error(Errc::shutting_down);
  if (state_->client) state_->client->close();
  state_->plain = Buffer();
  state_->packed = Buffer();
  return {};
}

void OtlpExporter::hasten(MonotonicTime deadline) noexcept {
  if (state_ != nullptr && state_->client) state_->client->hasten(deadline);
}

std::unique_ptr<trace::Exporter> OtlpExporter::for_child() const {
  return std::make_unique<OtlpExporter>(options_);
}

}  // namespace spanwire::otlp
