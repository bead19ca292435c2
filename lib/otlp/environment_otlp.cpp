#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

#include "lib/base/ascii.hpp"
#include "lib/otlp/endpoint.hpp"
#include "lib/otlp/environment_reader.hpp"

namespace spanwire::otlp {
namespace {

using Named = EnvironmentReader::Named;

constexpr unsigned kGrpcPort = 4317;
constexpr std::string_view kTracesEndpoint = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";

std::optional<Protocol> protocol_named(std::string_view text) {
  for (const Protocol protocol : {Protocol::http_protobuf, Protocol::http_json, Protocol::grpc}) {
    if (lower_case(text) == name(protocol)) return protocol;
  }
  return std::nullopt;
}

bool has_scheme(std::string_view endpoint) noexcept {
  return endpoint.starts_with("unix:") || endpoint.find("://") != std::string_view::npos;
}

// The port of a text that may lack a scheme; 0 for none.
unsigned port_of(const std::string& endpoint) {
  const std::string whole = has_scheme(endpoint) ? endpoint : "http://" + endpoint;
  const Result<Endpoint> parsed = parse_endpoint(whole, Protocol::http_protobuf);
  return parsed ? parsed->port : 0;
}

void read_protocol(EnvironmentReader& reader, OtlpSettings& settings,
                   const std::optional<Named>& endpoint) {
  const std::optional<Named> named =
      reader.first_of({"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"});
  const bool grpc_port = endpoint && port_of(endpoint->value) == kGrpcPort;
  Protocol& protocol = settings.options.protocol;
  if (!named) {
    if (!grpc_port) return;
    protocol = Protocol::grpc;
    settings.note = "no protocol is named and the port is 4317: speaking gRPC";
    return;
  }
  settings.named = true;
  if (const std::optional<Protocol> known = protocol_named(named->value)) {
    protocol = *known;
    if (grpc_port && protocol != Protocol::grpc) {
      settings.note = "port 4317 is gRPC's by custom, and " + std::string(named->variable) +
                      " says " + named->value;
    }
    return;
  }
  if (grpc_port) protocol = Protocol::grpc;
  reader.warn(named->variable, named->value,
              "not one of http/protobuf, http/json, grpc: using " + std::string(name(protocol)));
}

std::string with_scheme(EnvironmentReader& reader, const Named& endpoint, Protocol protocol) {
  if (has_scheme(endpoint.value)) return endpoint.value;
  if (protocol == Protocol::grpc) {
    const auto insecure =
        reader.first_of({"OTEL_EXPORTER_OTLP_TRACES_INSECURE", "OTEL_EXPORTER_OTLP_INSECURE"});
    const bool clear = insecure && reader.boolean(insecure->variable);
    return (clear ? "http://" : "https://") + endpoint.value;
  }
  std::string whole = "http://" + endpoint.value;
  reader.warn(endpoint.variable, endpoint.value, "no http:// or https://: using " + whole);
  return whole;
}

void read_endpoint(EnvironmentReader& reader, OtlpSettings& settings,
                   const std::optional<Named>& named) {
  if (!named) return;
  settings.named = true;
  const Protocol protocol = settings.options.protocol;
  std::string endpoint = with_scheme(reader, *named, protocol);
  // Before a path is added, which would pass for the host where there is none.
  if (const Result<Endpoint> parsed = parse_endpoint(endpoint, protocol); !parsed) {
    const bool grpc = protocol == Protocol::grpc;
    // A password may stand before an @.
    const bool secret = named->value.find('@') != std::string::npos;
    reader.warn(named->variable, secret ? "..." : named->value,
                (secret ? "not an endpoint" : std::string(parsed.error().detail())) +
                    ": using http://localhost:" + (grpc ? "4317" : "4318"));
    return;
  }
  if (protocol != Protocol::grpc && named->variable != kTracesEndpoint) {
    endpoint = with_traces_path(endpoint);
  }
  settings.options.endpoint = std::move(endpoint);
}

void read_compression(EnvironmentReader& reader, OtlpSettings& settings) {
  const std::optional<Named> named =
      reader.first_of({"OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "OTEL_EXPORTER_OTLP_COMPRESSION"});
  if (!named) return;
  settings.named = true;
  const std::string wanted = lower_case(named->value);
  if (wanted == "gzip") settings.options.compression = Compression::gzip;
  if (wanted != "gzip" && wanted != "none") {
    reader.warn(named->variable, named->value, "neither gzip nor none: using none");
  }
}

void read_headers(EnvironmentReader& reader, OtlpSettings& settings) {
  const std::optional<Named> named =
      reader.first_of({"OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS"});
  if (!named) return;
  settings.named = true;
  OtlpOptions candidate;
  candidate.headers = reader.pairs(named->variable, EnvironmentReader::Show::hidden);
  if (const Result<void> checked = check(candidate); !checked) {
    // The value may hold a token: the log is no place for it.
    return reader.warn(named->variable, "...",
                       std::string(checked.error().detail()) + ": the whole variable is left out");
  }
  settings.options.headers = std::move(candidate.headers);
}

void read_timeout(EnvironmentReader& reader, OtlpSettings& settings) {
  const std::optional<Named> named =
      reader.first_of({"OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT"});
  if (!named) return;
  settings.named = true;
  if (const auto count = reader.number(named->variable, 0, "10000")) {
    settings.options.timeout = std::chrono::milliseconds(static_cast<std::int64_t>(*count));
  }
}

std::optional<Named> file_of(EnvironmentReader& reader, OtlpSettings& settings,
                             std::initializer_list<std::string_view> variables) {
  std::optional<Named> named = reader.first_of(variables);
  if (named) settings.named = true;
  return named;
}

// The file stays set: who wants TLS with it is not served by a connection without.
std::string used(EnvironmentReader& reader, const Named& named) {
  if (::access(named.value.c_str(), R_OK) != 0) {
    reader.warn(named.variable, named.value,
                "cannot be read (" + std::generic_category().message(errno) +
                    "): used all the same, so sending over TLS fails");
  }
  return named.value;
}

void read_files(EnvironmentReader& reader, OtlpSettings& settings) {
  OtlpOptions& options = settings.options;
  const auto ca =
      file_of(reader, settings,
              {"OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", "OTEL_EXPORTER_OTLP_CERTIFICATE"});
  if (ca) options.ca_file = used(reader, *ca);
  const auto certificate = file_of(
      reader, settings,
      {"OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE", "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE"});
  const auto key = file_of(
      reader, settings, {"OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY", "OTEL_EXPORTER_OTLP_CLIENT_KEY"});
  if (certificate.has_value() != key.has_value()) {
    const Named& alone = certificate ? *certificate : *key;
    return reader.warn(alone.variable, alone.value,
                       std::string("comes with ") +
                           (certificate ? "OTEL_EXPORTER_OTLP_CLIENT_KEY"
                                        : "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE") +
                           ", which is not set: left out");
  }
  if (!key) return;
  options.client_certificate_file = used(reader, *certificate);
  options.client_key_file = used(reader, *key);
}

}  // namespace

OtlpSettings read_otlp(EnvironmentReader& reader) {
  OtlpSettings settings;
  const std::optional<Named> endpoint =
      reader.first_of({kTracesEndpoint, "OTEL_EXPORTER_OTLP_ENDPOINT"});
  read_protocol(reader, settings, endpoint);
  read_endpoint(reader, settings, endpoint);
  read_compression(reader, settings);
  read_headers(reader, settings);
  read_timeout(reader, settings);
  read_files(reader, settings);
  return settings;
}

}  // namespace spanwire::otlp
