#include "spanwire/otlp/otlp_exporter.hpp"

#include <algorithm>
#include <array>
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

struct OtlpExporter::State final : trace::ExportSteps {
  State(const OtlpOptions& options, const trace::Resource& resource);

  void prepare(Spans spans) override;
  void start(MonotonicTime deadline) override;
  trace::ExportResult finish() override;

  struct Recorded final : Batch {
    std::size_t size() const noexcept override { return spans.size(); }
    void encode(std::size_t first, std::size_t count, Buffer& out) override {
      const Spans part = spans.subspan(first, count);
      encoders->json ? encoders->json->encode(part, out) : encoders->protobuf->encode(part, out);
    }

    State* encoders = nullptr;
    Spans spans;
    MonotonicTime begin;
  };

  const OtlpOptions& options;
  std::string shown_endpoint;
  std::optional<Error> broken;  // nothing can ever be sent
  std::optional<ProtobufEncoder> protobuf;
  std::optional<JsonEncoder> json;
  std::optional<Sender> sender;
  // What is ready or being made so, and what is under way.
  std::array<Recorded, 2> batches;
  Recorded* ready = &batches[0];
  Recorded* sent = &batches[1];
};

OtlpExporter::State::State(const OtlpOptions& all, const trace::Resource& resource) : options(all) {
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
  for (Recorded& batch : batches) batch.encoders = this;
}

void OtlpExporter::State::prepare(Spans spans) {
  ready->begin = now();
  ready->spans = spans;
  if (!broken) sender->prepare(*ready);
}

void OtlpExporter::State::start(MonotonicTime deadline) {
  std::swap(ready, sent);
  if (broken) return;
  const MonotonicTime begin = now();
  if (options.timeout.count() > 0) deadline = std::min(deadline, begin + options.timeout);
  sender->start({begin, deadline});
}

trace::ExportResult OtlpExporter::State::finish() {
  if (broken) return {0, *broken};
  const Outcome outcome = sender->finish();
  export_ns.record(static_cast<std::uint64_t>((now() - sent->begin).count()));
  Error error = outcome.error;
  if (error != Error()) {
    std::string sentence = shown_endpoint;
    if (!error.detail().empty()) sentence.append(": ").append(error.detail());
    error = Error(error.code(), std::move(sentence));
  }
  return {outcome.delivered, std::move(error), outcome.reason};
}

OtlpExporter::OtlpExporter(OtlpOptions options) : options_(std::move(options)) {}

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
  state_->prepare(spans);
  state_->start(deadline);
  return state_->finish();
}

trace::ExportSteps* OtlpExporter::steps() noexcept { return state_.get(); }

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
