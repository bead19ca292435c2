// Resource: which process made the spans, as a list of attributes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace spanwire::trace {

using ResourceValue = std::variant<std::string, bool, std::int64_t, double>;

// Attributes in the order in which they were first set; no limits.  A value type.
class Resource {
 public:
  Resource() = default;

  // What a process knows of itself: service.name "unknown_service:<program>", service.instance.id
  // (a new random UUID), process.pid, host.name, telemetry.sdk.name, .language, .version.
  static Resource of_process();

  // Overwrites in place; an empty key changes nothing.
  Resource& set(std::string_view key, ResourceValue value);
  // Sets everything that `other` has.
  Resource& merge(const Resource& other);
  // Null when absent or not a string.
  const std::string* text(std::string_view key) const noexcept;

  // What changes in a forked child: process.pid if present, and service.instance.id if it was made
  // by of_process().
  void renew_after_fork();

  const std::vector<std::pair<std::string, ResourceValue>>& attributes() const noexcept {
    return attributes_;
  }
  bool empty() const noexcept { return attributes_.empty(); }

 private:
  std::vector<std::pair<std::string, ResourceValue>> attributes_;
  std::string generated_instance_id_;
};

}  // namespace spanwire::trace
