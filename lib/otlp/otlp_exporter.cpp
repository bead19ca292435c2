#include "spanwire/otlp/otlp_exporter.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "lib/otlp/sender.hpp"
#include "spanwire/base/counters.hpp"
#include "spanwire/otlp/encode_json.hpp"
#include "spanwire/otlp/encode_protobuf.hpp"

namespace spanwire::otlp {
namespace {

using Spans = std::span<const trace::SpanRecordView>;

constinit NamedHistogram export_ns("spanwire.otlp.export_ns");

MonotonicTime now() noexcept { return Clock::system().monotonic(); }

class RecordedSpans final : public Batch {
 public:
  RecordedSpans(Spans spans, std::optional<ProtobufEncoder>& protobuf,
                std::optional<JsonEncoder>& json)
      : spans_(spans), protobuf_(protobuf), json_(json) {}

  std::size_t size() const noexcept override { return spans_.size(); }
  void encode(std::size_t first, std::size_t count, Buffer& out) override {
    const Spans part = spans_.subspan(first, count);
    json_ ? json_->encode(part, out) : protobuf_->encode(part, out);
  }

 private:
  Spans spans_;
  std::optional<ProtobufEncoder>& protobuf_;
  std::optional<JsonEncoder>& json_;
};

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
  SPANWIRE_TRY_VOID(shown_endpoint(options));
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
  State(const OtlpOptions& options, const trace::Resource& resource);

  std::string shown_endpoint;
  std::optional<Error> broken;  // nothing can ever be sent
  std::optional<ProtobufEncoder> protobuf;
  std::optional<JsonEncoder> json;
  std::optional<Sender> sender;
};

OtlpExporter::State::State(const OtlpOptions& options, const trace::Resource& resource) {
  if (const Result<void> checked = check(options); !checked) {
    broken = checked.error();
    return;
  }
  shown_endpoint = otlp::shown_endpoint(options).value_or(std::string());
  const std::string* version = resource.text("telemetry.sdk.version");
  const std::string number = version != nullptr ? *version : "0";
  SenderOptions own;
  own.user_agent = "spanwire/" + number + " OTel-OTLP-Exporter-cpp/" + number;
  sender.emplace(options, std::move(own));
  if (options.protocol == Protocol::http_json) {
    json.emplace(resource);
  } else {
    protobuf.emplace(resource);
  }
}

OtlpExporter::OtlpExporter(OtlpOptions options) : options_(std::move(options)) {
  show_sender_counters();
}

OtlpExporter::~OtlpExporter() = default;

std::string OtlpExporter::describe() const {
  return "otlp " + std::string(otlp::name(options_.protocol)) + " " +
         shown_endpoint(options_).value_or("(no valid endpoint)");
}

void OtlpExporter::start(const trace::Resource& resource) {
  state_ = std::make_unique<State>(options_, resource);
}

trace::ExportResult OtlpExporter::export_batch(Spans spans, MonotonicTime deadline) {
  if (state_ == nullptr) return {0, Error(Errc::export_failed, "not started")};
  if (state_->broken) return {0, *state_->broken};
  const MonotonicTime begin = now();
  if (options_.timeout.count() > 0) deadline = std::min(deadline, begin + options_.timeout);
  RecordedSpans batch(spans, state_->protobuf, state_->json);
  const Outcome outcome = state_->sender->deliver(batch, {begin, deadline});
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
  if (state_ != nullptr && state_->sender) state_->sender->relax(deadline);
  return {};
}

Result<void> OtlpExporter::shutdown(MonotonicTime) {
  if (state_ == nullptr) return {};
  state_->broken = Error(Errc::shutting_down);
  if (state_->sender) state_->sender->close();
  return {};
}

void OtlpExporter::hasten(MonotonicTime deadline) noexcept {
  if (state_ != nullptr && state_->sender) state_->sender->hasten(deadline);
}

std::unique_ptr<trace::Exporter> OtlpExporter::for_child() const {
  return std::make_unique<OtlpExporter>(options_);
}

}  // namespace spanwire::otlp
