#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "lib/base/ascii.hpp"
#include "lib/otlp/endpoint.hpp"
#include "lib/otlp/environment_reader.hpp"
#include "spanwire/otlp/console_exporter.hpp"
#include "spanwire/otlp/file_exporter.hpp"

namespace spanwire::otlp {
namespace {

constexpr std::string_view kFileVariable = "SPANWIRE_TRACES_FILE";

struct Wanted {
  bool file = false;
  bool otlp = false;
  bool console = false;
  bool none = false;
  bool any() const noexcept { return file || otlp || console; }
};

Wanted read_names(EnvironmentReader& reader, bool has_file, bool has_otlp) {
  Wanted wanted;
  const std::optional<std::string> list = reader.text("OTEL_TRACES_EXPORTER");
  if (!list) {
    wanted.file = has_file;
    wanted.otlp = has_otlp;
    return wanted;
  }
  bool file_named = false;
  for (const std::string_view part : split_list(*list)) {
    const std::string name = lower_case(part);
    if (name == "none") {
      wanted.none = true;
    } else if (name == "otlp") {
      wanted.otlp = true;
    } else if (name == "console" || name == "otlp/stdout") {
      wanted.console = true;
    } else if (name == "file") {
      file_named = true;
    } else {
      reader.warn("OTEL_TRACES_EXPORTER", *list,
                  name + " is not one of otlp, console, file, none: left out");
    }
  }
  if (file_named && !has_file) {
    reader.warn("OTEL_TRACES_EXPORTER", *list, "file needs SPANWIRE_TRACES_FILE: left out");
  }
  // A file that is named is written beside everything else, but none means none.
  wanted.file = has_file && (file_named || !wanted.none);
  if (wanted.none && wanted.any()) {
    reader.warn("OTEL_TRACES_EXPORTER", *list, "none beside others: none is left out");
    wanted.none = false;
  }
  return wanted;
}

void add_otlp(OtlpSettings settings, Configuration& configuration) {
  const OtlpOptions& options = settings.options;
  const bool grpc = options.protocol == Protocol::grpc;
  const std::string fallback = grpc ? "http://localhost:4317" : "http://localhost:4318/v1/traces";
  const Result<Endpoint> endpoint =
      parse_endpoint(options.endpoint.empty() ? fallback : options.endpoint, options.protocol);
  std::string line = "spans go to " + (endpoint ? endpoint->shown : options.endpoint) + " by " +
                     std::string(name(options.protocol));
  if (!settings.note.empty()) line += " (" + settings.note + ")";
  configuration.summary.push_back(std::move(line));
  configuration.options.exporters.push_back(
      std::make_unique<OtlpExporter>(std::move(settings.options)));
}

}  // namespace

bool read_exporters(EnvironmentReader& reader, Configuration& configuration) {
  const std::optional<std::string> pattern = reader.text(kFileVariable);
  OtlpSettings otlp = read_otlp(reader);
  const Wanted wanted = read_names(reader, pattern.has_value(), otlp.named);
  trace::ProviderOptions& options = configuration.options;
  // The file first: it never waits for a network.
  if (wanted.file) {
    options.exporters.push_back(std::make_unique<FileExporter>(*pattern));
    configuration.summary.push_back("spans go to the file " + expand_path(*pattern));
  }
  if (wanted.console) {
    options.exporters.push_back(std::make_unique<ConsoleExporter>());
    configuration.summary.emplace_back("spans go to standard output");
  }
  if (wanted.otlp) add_otlp(std::move(otlp), configuration);
  if (wanted.any()) return true;
  if (wanted.none) {
    configuration.summary.emplace_back("spans are not exported (OTEL_TRACES_EXPORTER=none)");
  }
  return wanted.none;
}

}  // namespace spanwire::otlp
