// Each variable by itself: what holds without it, what it sets, what goes before it, and what is
// said about a bad value.
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "lib/otlp/environment_reader.hpp"

namespace spanwire::otlp {
namespace {

using Variables = std::map<std::string, std::string, std::less<>>;

Environment environment(const Variables& variables) {
  return [&variables](std::string_view name) -> std::optional<std::string> {
    const auto at = variables.find(name);
    if (at == variables.end()) return std::nullopt;
    return at->second;
  };
}

struct Setting {
  std::string value;
  std::vector<std::string> warnings;
};

// One number of a configuration, or one option of the OTLP exporter, as text.
struct Variable {
  const char* name;
  const char* general;  // the form that it goes before; null: none
  const char* fallback;
  const char* given;
  const char* then;
  const char* bad;  // null: any value is good
  std::function<Setting(const Variables&)> read;
};

using Read = std::function<Setting(const Variables&)>;

Setting of_configuration(const Variables& variables,
                         const std::function<std::string(const trace::ProviderOptions&)>& show) {
  Variables all = variables;
  all.emplace("OTEL_TRACES_EXPORTER", "none");
  const Configuration configuration = read_environment(environment(all));
  return {show(configuration.options), configuration.warnings};
}

Read limit(std::size_t trace::SpanLimits::* member) {
  return [member](const Variables& variables) {
    return of_configuration(variables, [member](const trace::ProviderOptions& options) {
      const std::size_t value = options.limits.*member;
      return value == trace::kNoLimit ? std::string("no limit") : std::to_string(value);
    });
  };
}

Read milliseconds(std::chrono::milliseconds trace::ProviderOptions::* member) {
  return [member](const Variables& variables) {
    return of_configuration(variables, [member](const trace::ProviderOptions& options) {
      return std::to_string((options.*member).count());
    });
  };
}

Read number(std::size_t trace::ProviderOptions::* member) {
  return [member](const Variables& variables) {
    return of_configuration(variables, [member](const trace::ProviderOptions& options) {
      return std::to_string(options.*member);
    });
  };
}

Read otlp(std::string (*show)(const OtlpOptions&)) {
  return [show](const Variables& variables) {
    Setting setting;
    const Environment all = environment(variables);
    EnvironmentReader reader(all, setting.warnings);
    setting.value = show(read_otlp(reader).options);
    return setting;
  };
}

std::string protocol_of(const OtlpOptions& options) { return std::string(name(options.protocol)); }
std::string endpoint_of(const OtlpOptions& options) { return options.endpoint; }
std::string timeout_of(const OtlpOptions& options) {
  return std::to_string(options.timeout.count());
}
std::string compression_of(const OtlpOptions& options) {
  return options.compression == Compression::gzip ? "gzip" : "none";
}
std::string ca_file_of(const OtlpOptions& options) { return options.ca_file; }
std::string headers_of(const OtlpOptions& options) {
  std::string text;
  for (const auto& [name, value] : options.headers) text += name + ":" + value + ";";
  return text;
}

std::string any_file() { return std::filesystem::read_symlink("/proc/self/exe").string(); }

class EachVariable : public ::testing::TestWithParam<Variable> {};

TEST_P(EachVariable, HasItsDefault) {
  for (const char* empty : {"", "  "}) {
    const Setting setting = GetParam().read({{GetParam().name, empty}});
    EXPECT_EQ(setting.value, GetParam().fallback);
    EXPECT_TRUE(setting.warnings.empty()) << setting.warnings[0];
  }
}

TEST_P(EachVariable, IsRead) {
  const Setting setting = GetParam().read({{GetParam().name, GetParam().given}});
  EXPECT_EQ(setting.value, GetParam().then);
  EXPECT_TRUE(setting.warnings.empty()) << setting.warnings[0];
}

TEST_P(EachVariable, GoesBeforeTheGeneralOne) {
  if (GetParam().general == nullptr) return;
  // The general one alone, then both.
  Variables variables = {{GetParam().general, GetParam().given}};
  EXPECT_EQ(GetParam().read(variables).value, GetParam().then);
  variables[GetParam().general] = GetParam().bad != nullptr ? "77" : any_file();
  variables[GetParam().name] = GetParam().given;
  EXPECT_EQ(GetParam().read(variables).value, GetParam().then);
}

TEST_P(EachVariable, SaysWhatIsUsedForABadValue) {
  if (GetParam().bad == nullptr) return;
  const Setting setting = GetParam().read({{GetParam().name, GetParam().bad}});
  EXPECT_EQ(setting.value, GetParam().fallback);
  ASSERT_EQ(setting.warnings.size(), 1u);
  const std::string& warning = setting.warnings[0];
  EXPECT_EQ(warning.rfind(std::string(GetParam().name) + "='", 0), 0u) << warning;
  const bool secret = std::string_view(GetParam().name).ends_with("HEADERS");
  EXPECT_NE(warning.find(secret ? "'...'" : std::string("'") + GetParam().bad + "'"),
            std::string::npos)
      << warning;
  EXPECT_TRUE(warning.find("using ") != std::string::npos ||
              warning.find("left out") != std::string::npos)
      << warning;
}

INSTANTIATE_TEST_SUITE_P(
    Batching, EachVariable,
    ::testing::Values(Variable{"OTEL_BSP_SCHEDULE_DELAY", nullptr, "5000", "7", "7", "x",
                               milliseconds(&trace::ProviderOptions::schedule_delay)},
                      Variable{"OTEL_BSP_EXPORT_TIMEOUT", nullptr, "30000", "0", "0", "1 s",
                               milliseconds(&trace::ProviderOptions::export_timeout)},
                      Variable{"OTEL_BSP_MAX_QUEUE_SIZE", nullptr, "0", "4096", "4096", "0",
                               number(&trace::ProviderOptions::queue_spans_max)},
                      Variable{"OTEL_BSP_MAX_EXPORT_BATCH_SIZE", nullptr, "512", "64", "64", "0x40",
                               number(&trace::ProviderOptions::batch_spans_max)}));

INSTANTIATE_TEST_SUITE_P(
    Limits, EachVariable,
    ::testing::Values(
        Variable{"OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", nullptr, "no limit", "9", "9", "-9",
                 limit(&trace::SpanLimits::value_chars_max)},
        Variable{"OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT",
                 "no limit", "9", "9", "nine", limit(&trace::SpanLimits::value_chars_max)},
        Variable{"OTEL_ATTRIBUTE_COUNT_LIMIT", nullptr, "128", "9", "9", "+9",
                 limit(&trace::SpanLimits::attributes_max)},
        Variable{"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "OTEL_ATTRIBUTE_COUNT_LIMIT", "128", "9", "9",
                 "9.5", limit(&trace::SpanLimits::attributes_max)},
        Variable{"OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", "OTEL_ATTRIBUTE_COUNT_LIMIT", "128", "9", "9",
                 "all", limit(&trace::SpanLimits::event_attributes_max)},
        Variable{"OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", "OTEL_ATTRIBUTE_COUNT_LIMIT", "128", "9", "9",
                 "9,", limit(&trace::SpanLimits::link_attributes_max)},
        Variable{"OTEL_SPAN_EVENT_COUNT_LIMIT", nullptr, "128", "0", "0", "-1",
                 limit(&trace::SpanLimits::events_max)},
        Variable{"OTEL_SPAN_LINK_COUNT_LIMIT", nullptr, "128", "9", "9", "4294967296",
                 limit(&trace::SpanLimits::links_max)}));

INSTANTIATE_TEST_SUITE_P(
    Otlp, EachVariable,
    ::testing::Values(
        Variable{"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL",
                 "http/protobuf", "grpc", "grpc", "http", otlp(protocol_of)},
        Variable{"OTEL_EXPORTER_OTLP_PROTOCOL", nullptr, "http/protobuf", "http/json", "http/json",
                 "json", otlp(protocol_of)},
        Variable{"OTEL_EXPORTER_OTLP_ENDPOINT", nullptr, "", "http://c:1", "http://c:1/v1/traces",
                 "http://", otlp(endpoint_of)},
        Variable{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", nullptr, "", "http://c:1/x", "http://c:1/x",
                 "c://c", otlp(endpoint_of)},
        Variable{"OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS", "",
                 "a=b%20c, d=e=f", "a:b c;d:e=f;", "a", otlp(headers_of)},
        Variable{"OTEL_EXPORTER_OTLP_HEADERS", nullptr, "", "x=%2C", "x:,;", "x=%0Ay: z",
                 otlp(headers_of)},
        Variable{"OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT", "10000", "0",
                 "0", "10s", otlp(timeout_of)},
        Variable{"OTEL_EXPORTER_OTLP_TIMEOUT", nullptr, "10000", "9", "9", "-1", otlp(timeout_of)},
        Variable{"OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "OTEL_EXPORTER_OTLP_COMPRESSION", "none",
                 "GZIP", "gzip", "br", otlp(compression_of)},
        Variable{"OTEL_EXPORTER_OTLP_COMPRESSION", nullptr, "none", "gzip", "gzip", "identity",
                 otlp(compression_of)},
        Variable{"OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", "OTEL_EXPORTER_OTLP_CERTIFICATE", "",
                 "/dev/null", "/dev/null", nullptr, otlp(ca_file_of)}));

OtlpSettings settings_of(const Variables& variables, std::vector<std::string>& warnings) {
  const Environment all = environment(variables);
  EnvironmentReader reader(all, warnings);
  return read_otlp(reader);
}

TEST(OtlpVariables, AClientsCertificateAndItsKeyComeTogether) {
  const std::string certificate = "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE";
  const std::string key = "OTEL_EXPORTER_OTLP_CLIENT_KEY";
  std::vector<std::string> warnings;
  const OtlpOptions both =
      settings_of({{certificate, "/dev/null"}, {key, "/dev/zero"}}, warnings).options;
  EXPECT_TRUE(warnings.empty());
  EXPECT_EQ(both.client_certificate_file, "/dev/null");
  EXPECT_EQ(both.client_key_file, "/dev/zero");
  const OtlpOptions traces =
      settings_of({{certificate, "/dev/null"},
                   {key, "/dev/null"},
                   {"OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE", "/dev/zero"},
                   {"OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY", "/dev/zero"}},
                  warnings)
          .options;
  EXPECT_EQ(traces.client_certificate_file + traces.client_key_file, "/dev/zero/dev/zero");
  for (const std::string& alone : {certificate, key}) {
    warnings.clear();
    // One that is not there, too: it is not going to be used.
    const OtlpOptions one = settings_of({{alone, "/no/such.pem"}}, warnings).options;
    EXPECT_EQ(one.client_certificate_file + one.client_key_file, "");
    ASSERT_EQ(warnings.size(), 1u);
    EXPECT_EQ(warnings[0], alone + "='/no/such.pem': comes with " +
                               (alone == key ? certificate : key) + ", which is not set: left out");
  }
}

TEST(OtlpVariables, AFileThatIsNotThereIsNamed) {
  std::vector<std::string> warnings;
  const OtlpSettings settings =
      settings_of({{"OTEL_EXPORTER_OTLP_CERTIFICATE", "/no/such.pem"}}, warnings);
  EXPECT_EQ(settings.options.ca_file, "/no/such.pem");
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_EQ(warnings[0],
            "OTEL_EXPORTER_OTLP_CERTIFICATE='/no/such.pem': cannot be read (No such file or "
            "directory): used all the same, so sending over TLS fails");
}

TEST(OtlpVariables, AnEndpointsPasswordIsNotShown) {
  std::vector<std::string> warnings;
  settings_of({{"OTEL_EXPORTER_OTLP_ENDPOINT", "ftp://me:secret@c"}}, warnings);
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_EQ(warnings[0].find("secret"), std::string::npos) << warnings[0];
}

TEST(OtlpVariables, InsecureIsABoolean) {
  std::vector<std::string> warnings;
  const Variables grpc = {{"OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"},
                          {"OTEL_EXPORTER_OTLP_ENDPOINT", "c:1"}};
  const auto with = [&](const char* name, const char* value, Variables variables) {
    variables[name] = value;
    return settings_of(variables, warnings).options.endpoint;
  };
  EXPECT_EQ(with("OTEL_EXPORTER_OTLP_INSECURE", "", grpc), "https://c:1");
  EXPECT_EQ(with("OTEL_EXPORTER_OTLP_INSECURE", "True", grpc), "http://c:1");
  Variables both = grpc;
  both["OTEL_EXPORTER_OTLP_INSECURE"] = "true";
  EXPECT_EQ(with("OTEL_EXPORTER_OTLP_TRACES_INSECURE", "false", both), "https://c:1");
  EXPECT_TRUE(warnings.empty());
  EXPECT_EQ(with("OTEL_EXPORTER_OTLP_INSECURE", "1", grpc), "https://c:1");
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_EQ(warnings[0], "OTEL_EXPORTER_OTLP_INSECURE='1': neither true nor false: false");
}

}  // namespace
}  // namespace spanwire::otlp
