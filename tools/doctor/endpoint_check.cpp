#include "tools/doctor/endpoint_check.hpp"

#include <cstdlib>
#include <string>

#include "lib/otlp/endpoint.hpp"
#include "lib/otlp/http_client.hpp"
#include "lib/otlp/url.hpp"
#include "spanwire/base/assert.hpp"
#include "tools/doctor/port_probe.hpp"

namespace spanwire::tools {
namespace {

using otlp::Protocol;

constexpr long kNotFound = 404;
constexpr long kWrongMethod = 405;

struct Place {
  std::string scheme;
  std::string host;
  std::string path;
  unsigned port = 0;

  std::string shown() const { return host + ':' + std::to_string(port); }
  bool secure() const { return scheme == "https"; }
};

Place place_of(const otlp::Endpoint& endpoint) {
  const otlp::Url url(endpoint.url);
  Place place{url.part(CURLUPART_SCHEME), url.part(CURLUPART_HOST), url.part(CURLUPART_PATH),
              endpoint.port};
  if (place.host.starts_with('[')) place.host = place.host.substr(1, place.host.size() - 2);
  return place;
}

// The status of an empty request, which every receiver of OTLP takes; 0 for no answer.
long post_nothing(const std::string& url, const otlp::OtlpOptions& options,
                  std::chrono::milliseconds timeout) {
  otlp::HttpTarget target;
  target.url = url;
  target.headers = options.headers;
  target.headers.emplace_back("content-type", "application/x-protobuf");
  target.ca_file = options.ca_file;
  target.client_certificate_file = options.client_certificate_file;
  target.client_key_file = options.client_key_file;
  target.proxy = options.proxy;
  otlp::HttpClient client(target);
  const MonotonicTime begin = Clock::system().monotonic();
  const Result<otlp::HttpAnswer> answer = client.post({}, {begin, begin + timeout});
  return answer ? answer->status : 0;
}

bool is_missing(long status) { return status == kNotFound || status == kWrongMethod; }

bool check_path(const otlp::Endpoint& endpoint, const Place& place,
                const otlp::OtlpOptions& options, std::chrono::milliseconds timeout,
                Findings& findings) {
  const long status = post_nothing(endpoint.url, options, timeout);
  if (!is_missing(status)) return true;
  const std::string usual = otlp::with_traces_path(place.scheme + "://" + place.shown());
  const bool cured = usual != endpoint.url && !is_missing(post_nothing(usual, options, timeout));
  findings.wrong("endpoint.wrong_path",
                 place.path + " at " + place.shown() + " answers " + std::to_string(status),
                 cured ? "the spans' place there is " + usual
                       : "is that a receiver of OTLP, and does it take traces?");
  return false;
}

// What speaks there against what we are to speak.
bool check_protocol(const Place& place, Speaks speaks, bool grpc, Findings& findings) {
  const std::string where = place.shown();
  if (place.secure() && (speaks == Speaks::http1 || speaks == Speaks::http2)) {
    findings.wrong("endpoint.tls_to_plain",
                   where + " speaks in clear text, the endpoint says https",
                   "write http://" + where);
    return false;
  }
  if (!place.secure() && speaks == Speaks::tls) {
    findings.wrong("endpoint.plain_to_tls", where + " speaks TLS, the endpoint says http",
                   "write https://" + where);
    return false;
  }
  if (!grpc && speaks == Speaks::http2) {
    findings.wrong(
        "endpoint.http_to_grpc", where + " speaks HTTP/2 as gRPC does, we are to speak HTTP/1.1",
        "set OTEL_EXPORTER_OTLP_PROTOCOL=grpc, or take OTLP/HTTP's port, by custom 4318");
    return false;
  }
  if (grpc && speaks == Speaks::http1) {
    findings.wrong(
        "endpoint.grpc_to_http", where + " speaks HTTP/1, we are to speak gRPC",
        "set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf, or take gRPC's port, by custom 4317");
    return false;
  }
  return true;
}

bool check_port(const Place& place, const PortAnswer& answer, Findings& findings) {
  if (answer.speaks == Speaks::unresolved) {
    findings.wrong("endpoint.unresolved", place.host + ": " + answer.detail,
                   "is the name right, and known on this machine?");
  } else if (answer.speaks == Speaks::nothing) {
    findings.wrong("endpoint.nothing_listening", place.shown() + ": " + answer.detail,
                   "start the collector, or spanwire receive; is the port right?");
  } else if (answer.speaks == Speaks::unknown) {
    findings.wrong("endpoint.silent", place.shown() + " speaks neither TLS nor HTTP",
                   "is that a collector?");
  } else {
    return true;
  }
  return false;
}

void check_clock(const PortAnswer& answer, std::chrono::seconds clock_max, Findings& findings) {
  if (!answer.clock_ahead) return;
  const auto ahead = answer.clock_ahead->count();
  if (std::abs(ahead) <= clock_max.count()) {
    return findings.good("clock",
                         "within " + std::to_string(clock_max.count()) + " s of the backend's");
  }
  findings.wrong("clock.off",
                 "the backend's clock is " + std::to_string(std::abs(ahead)) +
                     (ahead > 0 ? " s ahead of" : " s behind") + " this machine's",
                 "set both by NTP: spans will seem to come from another time");
}

}  // namespace

bool check_endpoint(const otlp::OtlpOptions& options, std::chrono::milliseconds timeout,
                    std::chrono::seconds clock_max, Findings& findings) {
  const bool grpc = options.protocol == Protocol::grpc;
  std::string text = options.endpoint;
  if (text.empty()) text = grpc ? "http://localhost:4317" : "http://localhost:4318/v1/traces";
  const Result<otlp::Endpoint> endpoint = otlp::parse_endpoint(text, options.protocol);
  // Who read the environment has replaced what is no address.
  SPANWIRE_ASSERT(endpoint.has_value());
  // Through a proxy or a socket of Unix there is no port of its own to knock at.
  if (!endpoint->unix_socket.empty() || !options.proxy.empty()) return true;
  const Place place = place_of(*endpoint);
  const PortAnswer answer = probe_port(place.host, place.port, timeout);
  if (!check_port(place, answer, findings)) return false;
  check_clock(answer, clock_max, findings);
  if (!check_protocol(place, answer.speaks, grpc, findings)) return false;
  if (!grpc && !check_path(*endpoint, place, options, timeout, findings)) return false;
  findings.good("endpoint", endpoint->shown + " by " + std::string(otlp::name(options.protocol)));
  return true;
}

}  // namespace spanwire::tools
