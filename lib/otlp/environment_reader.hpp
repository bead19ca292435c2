// Typed values out of environment variables; what is bad becomes a warning.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "spanwire/otlp/environment.hpp"
#include "spanwire/otlp/otlp_exporter.hpp"

namespace spanwire::otlp {

class EnvironmentReader {
 public:
  EnvironmentReader(const Environment& environment, std::vector<std::string>& warnings)
      : environment_(environment), warnings_(warnings) {}

  // Without blanks around it; nothing when it is empty.
  std::optional<std::string> text(std::string_view variable) const;
  // Only "true" in any case is true.
  bool boolean(std::string_view variable);
  // Within the bounds, or nothing.  `used` names what holds otherwise, for the warning.
  std::optional<std::uint64_t> number(std::string_view variable, std::uint64_t lowest,
                                      std::string_view used);
  // Whether a warning may show the value; one that may be secret it must not.
  enum class Show : std::uint8_t { shown, hidden };
  // "k=v,k=v" with percent-encoding; a single error discards the whole.
  std::vector<std::pair<std::string, std::string>> pairs(std::string_view variable,
                                                         Show show = Show::shown);

  // The variable of a list that is set first: the one for a signal goes before the general one.
  struct Named {
    std::string_view variable;
    std::string value;
  };
  std::optional<Named> first_of(std::initializer_list<std::string_view> variables) const;

  void warn(std::string_view variable, std::string_view value, std::string_view problem);

 private:
  const Environment& environment_;
  std::vector<std::string>& warnings_;
};

// The parts between commas, stripped, without empty ones.
std::vector<std::string_view> split_list(std::string_view text);

// What OTEL_EXPORTER_OTLP_* says.
struct OtlpSettings {
  OtlpOptions options;
  bool named = false;  // an endpoint, or anything else of it, is set
  std::string note;    // what was decided without being asked for; empty: nothing
};
OtlpSettings read_otlp(EnvironmentReader& reader);

// Fills in the exporters of OTEL_TRACES_EXPORTER.  False if there is nothing to start.
bool read_exporters(EnvironmentReader& reader, Configuration& configuration);

}  // namespace spanwire::otlp
