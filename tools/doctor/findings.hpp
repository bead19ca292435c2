// What spanwire doctor has found, by name.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace spanwire::tools {

enum class Health : std::uint8_t { good, wrong };

struct Diagnosis {
  Health health = Health::good;
  std::string name;  // "endpoint.nothing_listening"
  std::string text;  // what was seen
  std::string cure;  // what to do; empty for what is good
};

class Findings {
 public:
  void good(std::string name, std::string text) {
    all_.push_back({Health::good, std::move(name), std::move(text), {}});
  }
  void wrong(std::string name, std::string text, std::string cure) {
    all_.push_back({Health::wrong, std::move(name), std::move(text), std::move(cure)});
    ++wrong_;
  }
  const std::vector<Diagnosis>& all() const noexcept { return all_; }
  std::size_t wrong_count() const noexcept { return wrong_; }

 private:
  std::vector<Diagnosis> all_;
  std::size_t wrong_ = 0;
};

}  // namespace spanwire::tools
