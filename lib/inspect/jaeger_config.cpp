#include <nlohmann/json.hpp>

#include "lib/inspect/http_get.hpp"
#include "spanwire/inspect/jaeger.hpp"

namespace spanwire::inspect {
namespace {

using Json = nlohmann::ordered_json;

std::string local(unsigned port) { return "127.0.0.1:" + std::to_string(port); }

Json store_of(const std::string& badger) {
  if (badger.empty()) return {{"memory", {{"max_traces", 100'000}}}};
  // Ephemeral by default, and then nothing is left of a run.
  return {{"badger",
           {{"directories", {{"keys", badger + "/keys"}, {"values", badger + "/values"}}},
            {"ephemeral", false},
            {"ttl", {{"spans", "720h"}}}}}};
}

}  // namespace

// JSON is YAML.
std::string jaeger_config(const JaegerPorts& ports, const std::string& badger) {
  Json config;
  config["service"] = {
      {"extensions", {"jaeger_storage", "jaeger_query", "healthcheckv2"}},
      {"pipelines",
       {{"traces",
         {{"receivers", {"otlp"}},
          {"processors", {"batch"}},
          {"exporters", {"jaeger_storage_exporter"}}}}}},
      {"telemetry", {{"metrics", {{"level", "none"}}}}},  // else a port more
  };
  config["extensions"] = {
      {"healthcheckv2", {{"use_v2", true}, {"http", {{"endpoint", local(ports.health)}}}}},
      {"jaeger_query",
       {{"storage", {{"traces", "store"}}},
        {"enable_tracing", false},  // else every question becomes a trace
        {"http", {{"endpoint", local(ports.query)}, {"keep_alives_enabled", true}}},
        {"grpc", {{"endpoint", local(ports.query_grpc)}}}}},
      {"jaeger_storage", {{"backends", {{"store", store_of(badger)}}}}},
  };
  config["receivers"] = {{"otlp",
                          {{"protocols",
                            {{"grpc", {{"endpoint", local(ports.otlp_grpc)}}},
                             {"http", {{"endpoint", local(ports.otlp_http)}}}}}}}};
  config["processors"] = {{"batch", nullptr}};
  config["exporters"] = {{"jaeger_storage_exporter", {{"trace_storage", "store"}}}};
  return config.dump(2) + '\n';
}

Result<std::string> get_page(const std::string& url, std::chrono::nanoseconds timeout) {
  HttpGetter http;
  std::string text;
  SPANWIRE_TRY(const long status,
               http.get(url, timeout, [&](std::string_view piece) -> Result<void> {
                 if (piece.size() > kPageBytesMax - text.size()) {
                   return fail(Errc::answer_not_understood,
                               url + ": longer than " + std::to_string(kPageBytesMax) + " bytes");
                 }
                 text += piece;
                 return {};
               }));
  if (status < 200 || status > 299) {
    return fail(Errc::query_failed, url + ": HTTP " + std::to_string(status));
  }
  return text;
}

}  // namespace spanwire::inspect
