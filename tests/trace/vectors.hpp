// The golden vectors of proto-spec/vectors/trace.
#pragma once

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

namespace spanwire::trace {

inline nlohmann::json vectors(const std::string& file) {
  std::ifstream stream(SPANWIRE_SOURCE_DIR "/proto-spec/vectors/trace/" + file);
  return nlohmann::json::parse(stream);
}

inline std::string text(const nlohmann::json& object, const char* key) {
  return object.value(key, std::string());
}

}  // namespace spanwire::trace
