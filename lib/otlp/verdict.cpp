#include "lib/otlp/verdict.hpp"

#include <charconv>
#include <nlohmann/json.hpp>
#include <protozero/pbf_reader.hpp>

#include "lib/base/ascii.hpp"
#include "lib/otlp/environment_reader.hpp"
#include "lib/otlp/grpc_status.hpp"
#include "lib/otlp/otlp_fields.hpp"
#include "spanwire/base/counters.hpp"

namespace spanwire::otlp {
namespace {

using Wire = protozero::pbf_wire_type;

constinit NamedCounter unread_answers("spanwire.otlp.answers_not_read");

// As much of a backend's text as a log line should hold.
constexpr std::size_t kTextShownMax = 200;
constexpr long kHttpTooLarge = 413;

std::string shown(std::string_view text) {
  std::string result(text.substr(0, kTextShownMax));
  for (char& c : result) {
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  }
  return result;
}

Verdict refused(Error error) {
  Verdict verdict;
  verdict.kind = Verdict::Kind::refused;
  verdict.error = std::move(error);
  return verdict;
}

Verdict malformed(std::string_view what, std::string_view body) {
  return refused({Errc::export_answer_malformed, std::string(what) + ": " + shown(body)});
}

Verdict delivered(std::uint64_t rejected, std::string_view message) {
  Verdict verdict;
  verdict.rejected = rejected;
  verdict.warning = shown(message);
  return verdict;
}

// An ExportTraceServiceResponse.
Verdict read_protobuf(std::string_view body) {
  std::uint64_t rejected = 0;
  std::string message;
  try {
    protozero::pbf_reader response(body.data(), body.size());
    while (response.next(field::kResponsePartialSuccess, Wire::length_delimited)) {
      protozero::pbf_reader partial = response.get_message();
      while (partial.next()) {
        switch (partial.tag_and_type()) {
          case protozero::tag_and_type(field::kPartialRejectedSpans, Wire::varint): {
            const std::int64_t count = partial.get_int64();
            rejected = count > 0 ? static_cast<std::uint64_t>(count) : 0;
            break;
          }
          case protozero::tag_and_type(field::kPartialMessage, Wire::length_delimited):
            message = partial.get_string();
            break;
          default:
            partial.skip();
        }
      }
    }
  } catch (const protozero::exception&) {
    return malformed("not an ExportTraceServiceResponse", body);
  }
  return delivered(rejected, message);
}

std::uint64_t count_of(const nlohmann::json& value) {
  if (value.is_number_unsigned()) return value.get<std::uint64_t>();
  std::uint64_t count = 0;
  if (value.is_string()) {
    const std::string& text = value.get_ref<const std::string&>();
    std::from_chars(text.data(), text.data() + text.size(), count);
  }
  return count;
}

Verdict read_json(std::string_view body) {
  const nlohmann::json response = nlohmann::json::parse(body, nullptr, false);
  if (!response.is_object()) return malformed("not a JSON object", body);
  const auto partial = response.find("partialSuccess");
  if (partial == response.end() || !partial->is_object()) return {};
  const auto rejected = partial->find("rejectedSpans");
  const auto message = partial->find("errorMessage");
  const bool says = message != partial->end() && message->is_string();
  return delivered(rejected != partial->end() ? count_of(*rejected) : 0,
                   says ? message->get_ref<const std::string&>() : std::string());
}

bool contains_without_case(std::string_view text, std::string_view wanted) {
  return lower_case(text).find(wanted) != std::string::npos;
}

// What a person can read of an error's body: its text, or the message of a google.rpc.Status.
std::string text_of_error(const HttpAnswer& answer) {
  if (answer.content_type.starts_with("application/json")) {
    const nlohmann::json status = nlohmann::json::parse(answer.body, nullptr, false);
    if (status.is_object() && status.contains("message") && status["message"].is_string()) {
      return shown(status["message"].get_ref<const std::string&>());
    }
  } else if (answer.content_type.starts_with("application/x-protobuf")) {
    try {
      protozero::pbf_reader status(answer.body.data(), answer.body.size());
      if (status.next(field::kRpcStatusMessage, Wire::length_delimited))
        return shown(status.get_string());
    } catch (const protozero::exception&) {
      return "a body that is no google.rpc.Status";
    }
  }
  return shown(answer.body);
}

bool http_retryable(long status) noexcept {
  return status == 429 || status == 502 || status == 503 || status == 504;
}

// gRPC's own table for answers without a grpc-status.
GrpcCode code_of_http(long status) noexcept {
  if (http_retryable(status)) return GrpcCode::unavailable;
  if (status == 400) return GrpcCode::internal;
  if (status == 404) return GrpcCode::unimplemented;
  return GrpcCode::unknown;
}

bool grpc_retryable(GrpcCode code) noexcept {
  switch (code) {
    case GrpcCode::cancelled:
    case GrpcCode::deadline_exceeded:
    case GrpcCode::aborted:
    case GrpcCode::out_of_range:
    case GrpcCode::unavailable:
    case GrpcCode::data_loss:
      return true;
    default:
      return false;
  }
}

// gRPC's implementations have no code for it, but words.
bool says_too_large(GrpcCode code, std::string_view text) {
  if (code != GrpcCode::resource_exhausted && code != GrpcCode::out_of_range) return false;
  for (const std::string_view words :
       {"larger than max", "exceeds maximum size", "exceeds the maximum", "too large"}) {
    if (contains_without_case(text, words)) return true;
  }
  return false;
}

bool is_web_page(const HttpAnswer& answer) {
  if (answer.content_type.starts_with("text/html")) return true;
  const std::string begin = lower_case(std::string_view(answer.body).substr(0, kTextShownMax));
  return begin.find("<!doctype html") != std::string::npos ||
         begin.find("<html") != std::string::npos;
}

// 2xx means that the spans were taken.  What the body adds is read where there is something to
// read: gateways answer whatever they like.  But a page for people comes from who was never meant.
Verdict judge_success(const HttpAnswer& answer) {
  if (answer.body.empty()) return {};
  if (is_web_page(answer)) {
    return malformed("a web page instead of an OTLP answer", answer.body);
  }
  const bool says_json = answer.content_type.starts_with("application/json");
  const bool says_protobuf = answer.content_type.starts_with("application/x-protobuf");
  // No message of protobuf begins with a brace: it would be a group, of a field that is not there.
  const bool json = says_json || answer.body.starts_with('{');
  Verdict verdict = json ? read_json(answer.body) : read_protobuf(answer.body);
  if (verdict.kind == Verdict::Kind::refused && !says_json && !says_protobuf) {
    unread_answers.add();
    return {};
  }
  return verdict;
}

}  // namespace

Verdict judge_http(const HttpAnswer& answer) {
  if (answer.status >= 200 && answer.status < 300) {
    return judge_success(answer);
  }
  const std::string text = text_of_error(answer);
  std::string sentence = "HTTP " + std::to_string(answer.status);
  if (!text.empty()) sentence += ": " + text;
  Verdict verdict;
  const bool too_large = answer.status == kHttpTooLarge ||
                         (answer.status == 400 && contains_without_case(text, "too large"));
  verdict.kind = too_large                       ? Verdict::Kind::too_large
                 : http_retryable(answer.status) ? Verdict::Kind::again
                                                 : Verdict::Kind::refused;
  const Errc code = too_large                       ? Errc::export_too_large
                    : http_retryable(answer.status) ? Errc::export_unavailable
                                                    : Errc::export_refused;
  verdict.error = Error(code, std::move(sentence));
  verdict.pause = answer.retry_after;
  return verdict;
}

Verdict judge_grpc(const HttpAnswer& answer) {
  auto code = code_of_http(answer.status);
  if (!answer.grpc_status.empty()) {
    int number = static_cast<int>(GrpcCode::unknown);
    const std::string& text = answer.grpc_status;
    std::from_chars(text.data(), text.data() + text.size(), number);
    code = static_cast<GrpcCode>(number);
  } else if (answer.status == 200) {
    return malformed("an answer without grpc-status", answer.content_type);
  }
  if (code == GrpcCode::ok) {
    const std::optional<std::string> message = grpc_message_of(answer.body);
    if (!message) return malformed("OK without a message", answer.content_type);
    return read_protobuf(*message);
  }
  const std::string text = decode_grpc_message(answer.grpc_message);
  std::string sentence = "gRPC " + grpc_code_name(code);
  if (answer.grpc_status.empty()) sentence += " (HTTP " + std::to_string(answer.status) + ")";
  if (!text.empty()) sentence += ": " + shown(text);
  Verdict verdict;
  verdict.pause = retry_delay_of(answer.grpc_details);
  const bool exhausted = code == GrpcCode::resource_exhausted;
  const bool by_proxy = answer.grpc_status.empty() && answer.status == kHttpTooLarge;
  if (by_proxy || (!verdict.pause && says_too_large(code, text))) {
    verdict.kind = Verdict::Kind::too_large;
    verdict.error = Error(Errc::export_too_large, std::move(sentence));
    return verdict;
  }
  const bool again = grpc_retryable(code) || (exhausted && verdict.pause);
  verdict.kind = again ? Verdict::Kind::again : Verdict::Kind::refused;
  verdict.error =
      Error(again ? Errc::export_unavailable : Errc::export_refused, std::move(sentence));
  return verdict;
}

Verdict judge_failure(const Error& error) {
  Verdict verdict;
  verdict.error = error;
  switch (error.code()) {
    case Errc::resolve_failed:
    case Errc::connect_failed:
    case Errc::connection_reset:
    case Errc::export_timeout:
      verdict.kind = Verdict::Kind::again;
      break;
    default:
      // A certificate that is not trusted now will not be in a second.
      verdict.kind = Verdict::Kind::refused;
  }
  return verdict;
}

}  // namespace spanwire::otlp
