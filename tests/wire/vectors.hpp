// Reads proto-spec/vectors, the one place of golden bytes.
#pragma once

#include <fstream>
#include <nlohmann/json.hpp>
#include <ostream>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "spanwire/base/errc.hpp"
#include "spanwire/base/slice.hpp"

namespace spanwire {

// So that a failed expectation names the code.
inline void PrintTo(Errc code, std::ostream* out) { *out << name(code); }

}  // namespace spanwire

namespace spanwire::wire {

using Json = nlohmann::json;

// One list of a file.  By value: a range-for over it keeps it alive.
inline Json read_vectors(const std::string& file, const char* list = "vectors") {
  std::ifstream in(std::string(SPANWIRE_SOURCE_DIR) + "/proto-spec/vectors/" + file);
  if (!in) throw std::runtime_error("no vectors: " + file);
  return Json::parse(in).at(list);
}

inline std::string unhex(std::string_view hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
  }
  return bytes;
}

// Bytes given as text, as hex, as a repetition, or as parts of these.
inline std::string bytes_from(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.contains("text")) return value["text"].get<std::string>();
  if (value.contains("hex")) return unhex(value["hex"].get<std::string>());
  std::string bytes;
  if (value.contains("repeat")) {
    const std::string one = unhex(value["repeat"].get<std::string>());
    for (std::size_t i = 0; i < value["times"].get<std::size_t>(); ++i) bytes += one;
    return bytes;
  }
  for (const Json& part : value.at("parts")) bytes += bytes_from(part);
  return bytes;
}

inline std::string text_or(const Json& value, const char* key, const char* otherwise) {
  return value.value(key, std::string(otherwise));
}

// Cuts `bytes` at random places into pieces of up to `piece_max`, the same for the same seed.
inline std::vector<std::string_view> cut(std::string_view bytes, std::uint32_t seed,
                                         std::size_t piece_max) {
  std::mt19937 random(seed);
  std::vector<std::string_view> pieces;
  while (!bytes.empty()) {
    const std::size_t size = std::min(bytes.size(), 1 + random() % piece_max);
    pieces.push_back(bytes.substr(0, size));
    bytes.remove_prefix(size);
  }
  return pieces;
}

}  // namespace spanwire::wire
