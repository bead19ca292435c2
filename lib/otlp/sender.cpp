#include "lib/otlp/sender.hpp"

#include <algorithm>
#include <utility>

#include "lib/base/ascii.hpp"
#include "lib/otlp/backoff.hpp"
#include "lib/otlp/endpoint.hpp"
#include "lib/otlp/environment_reader.hpp"
#include "lib/otlp/grpc_status.hpp"
#include "spanwire/base/counters.hpp"
#include "spanwire/base/log.hpp"
#include "spanwire/base/random.hpp"

namespace spanwire::otlp {
namespace {

constexpr std::size_t kHttpBytesMax = 64u << 20;
constexpr std::size_t kGrpcBytesMax = 4u << 20;

constinit NamedCounter requests_sent("spanwire.otlp.requests_sent");
constinit NamedCounter requests_repeated("spanwire.otlp.requests_repeated");
constinit NamedCounter batches_split("spanwire.otlp.batches_split");
constinit NamedCounter spans_rejected("spanwire.otlp.spans_rejected");
constinit NamedCounter bytes_sent("spanwire.otlp.bytes_sent");

MonotonicTime now() noexcept { return Clock::system().monotonic(); }

bool is_grpc(const OtlpOptions& options) noexcept { return options.protocol == Protocol::grpc; }

std::size_t prefix_bytes(const OtlpOptions& options) noexcept {
  return is_grpc(options) ? kGrpcPrefixBytes : 0;
}

std::string_view default_endpoint(Protocol protocol) noexcept {
  return protocol == Protocol::grpc ? "http://localhost:4317" : "http://localhost:4318/v1/traces";
}

Result<Endpoint> endpoint_of(const OtlpOptions& options) {
  return parse_endpoint(
      options.endpoint.empty() ? default_endpoint(options.protocol) : options.endpoint,
      options.protocol);
}

std::size_t request_bytes_max(const OtlpOptions& options) noexcept {
  if (options.request_bytes_max != 0) return options.request_bytes_max;
  return is_grpc(options) ? kGrpcBytesMax : kHttpBytesMax;
}

// Says what the body is.
bool is_ours(std::string_view header) {
  const std::string name = lower_case(header);
  return name == "content-type" || name == "content-encoding" || name == "te" ||
         name == "grpc-encoding";
}

bool names_agent(const std::vector<std::pair<std::string, std::string>>& headers) {
  return std::any_of(headers.begin(), headers.end(),
                     [](const auto& header) { return lower_case(header.first) == "user-agent"; });
}

HttpTarget target_of(const OtlpOptions& options, const std::string& user_agent) {
  const Result<Endpoint> endpoint = endpoint_of(options);
  HttpTarget target;
  if (endpoint) {
    target.url = endpoint->url;
    target.unix_socket = endpoint->unix_socket;
  }
  target.http2 = is_grpc(options);
  target.ca_file = options.ca_file;
  target.client_certificate_file = options.client_certificate_file;
  target.client_key_file = options.client_key_file;
  target.proxy = options.proxy;
  target.headers = options.headers;
  std::erase_if(target.headers, [](const auto& header) { return is_ours(header.first); });
  const bool gzip = options.compression == Compression::gzip;
  const auto add = [&target](const char* name, std::string value) {
    target.headers.emplace_back(name, std::move(value));
  };
  if (!names_agent(target.headers)) add("user-agent", user_agent);
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
Error with_hint(const Error& error, bool grpc) {
  // A server of HTTP/1 may end the connection without a word when it is spoken to in HTTP/2.
  const bool odd = error.code() == Errc::export_answer_malformed ||
                   (grpc && error.code() == Errc::connection_reset);
  if (!odd) return error;
  return {error.code(), std::string(error.detail()) + "; if this is the port of OTLP over " +
                            (grpc ? "HTTP" : "gRPC") + ", set OTEL_EXPORTER_OTLP_PROTOCOL=" +
                            (grpc ? "http/protobuf" : "grpc")};
}

// An attempt that time cuts off hides what an earlier one has said.
Error with_cause(Error error, const Error& before) {
  if (error.code() != Errc::export_timeout || before == Error()) return error;
  return {error.code(), std::string(error.detail()) + (error.detail().empty() ? "" : "; ") +
                            "an attempt before: " + before.message()};
}

Outcome lost(const Error& error) { return {0, error, reason_of(error)}; }

}  // namespace

void Outcome::add(const Outcome& other) {
  delivered += other.delivered;
  if (other.error != Error()) *this = {delivered, other.error, other.reason};
}

void show_sender_counters() noexcept {
  for (NamedCounter* counter :
       {&requests_sent, &requests_repeated, &batches_split, &spans_rejected, &bytes_sent}) {
    counter->add(0);
  }
}

Result<std::string> shown_endpoint(const OtlpOptions& options) {
  SPANWIRE_TRY(Endpoint endpoint, endpoint_of(options));
  return std::move(endpoint.shown);
}

Sender::Sender(const OtlpOptions& options, SenderOptions own)
    : options_(options),
      own_(std::move(own)),
      shown_endpoint_(otlp::shown_endpoint(options).value_or(std::string())),
      client_(target_of(options, own_.user_agent)),
      bytes_max_(request_bytes_max(options)) {
  if (options.compression == Compression::gzip) gzip_.emplace();
}

void Sender::close() noexcept {
  client_.close();
  plain_ = Buffer();
  packed_ = Buffer();
}

Outcome Sender::deliver(Batch& batch, const WorkTime& time) {
  return deliver(batch, {0, batch.size()}, time);
}

// The request's body; borrowed until the next call.
Result<ByteView> Sender::encode(Batch& batch, Part part) {
  const std::size_t prefix = prefix_bytes(options_);
  plain_.clear();
  plain_.reserve(prefix);
  plain_.commit(prefix);
  batch.encode(part.first, part.count, plain_);
  const ByteView message = plain_.view().subspan(prefix);
  if (message.size() > bytes_max_) {
    return fail(Errc::export_too_large, std::to_string(message.size()) + " bytes");
  }
  if (!gzip_) {
    if (prefix != 0) write_grpc_prefix(plain_.data(), false, message.size());
    return plain_.view();
  }
  packed_.clear();
  packed_.reserve(prefix);
  packed_.commit(prefix);
  SPANWIRE_TRY_VOID(gzip_->compress(message, packed_));
  if (prefix != 0) write_grpc_prefix(packed_.data(), true, packed_.size() - prefix);
  return packed_.view();
}

Verdict Sender::attempt(ByteView request, const WorkTime& time) {
  requests_sent.add();
  bytes_sent.add(static_cast<std::int64_t>(request.size()));
  WorkTime own = time;
  const MonotonicTime begin = now();
  if (time.deadline - begin > own_.attempt_max) own.deadline = begin + own_.attempt_max;
  const Result<HttpAnswer> answer = client_.post(request, own);
  if (!answer) return judge_failure(with_hint(answer.error(), is_grpc(options_)));
  return is_grpc(options_) ? judge_grpc(*answer) : judge_http(*answer);
}

Outcome Sender::settle(const Verdict& verdict, std::size_t spans) const {
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
    log_warn("the backend warns", {{"endpoint", shown_endpoint_}, {"says", verdict.warning}});
  }
  return {spans, {}, {}};
}

Outcome Sender::deliver_halves(Batch& batch, Part part, const WorkTime& time) {
  batches_split.add();
  const std::size_t half = part.count / 2;
  Outcome outcome = deliver(batch, {part.first, half}, time);
  outcome.add(deliver(batch, {part.first + half, part.count - half}, time));
  return outcome;
}

Outcome Sender::deliver(Batch& batch, Part part, const WorkTime& time) {
  const Result<ByteView> request = encode(batch, part);
  if (!request) {
    const bool parts = request.error().code() == Errc::export_too_large && part.count > 1;
    return parts ? deliver_halves(batch, part, time) : lost(request.error());
  }
  Backoff backoff(options_.retry);
  Error before;
  for (unsigned attempts = 1;; ++attempts) {
    if (now() >= client_.limit(time)) return lost(with_cause(Errc::export_timeout, before));
    Verdict verdict = attempt(*request, time);
    if (verdict.error.code() != Errc::export_timeout) before = verdict.error;
    verdict.error = with_cause(std::move(verdict.error), before);
    if (verdict.kind == Verdict::Kind::delivered) return settle(verdict, part.count);
    if (verdict.kind == Verdict::Kind::too_large && part.count > 1) {
      // Later batches of this size need not be sent to be refused.
      bytes_max_ = std::min(bytes_max_, plain_.size() - prefix_bytes(options_) - 1);
      return deliver_halves(batch, part, time);
    }
    const bool again = verdict.kind == Verdict::Kind::again;
    if (!again || attempts >= options_.retry.attempts_max) return lost(verdict.error);
    if (own_.on_repeat) own_.on_repeat(verdict.error);
    const std::chrono::nanoseconds own = backoff.next(Random::of_thread());
    if (!client_.pause(verdict.pause.value_or(own), time)) return lost(verdict.error);
    requests_repeated.add();
  }
}

}  // namespace spanwire::otlp
