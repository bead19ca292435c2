#include "spanwire/trace/resource.hpp"

#include <errno.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "spanwire/base/random.hpp"
#include "spanwire/trace/ids.hpp"

namespace spanwire::trace {
namespace {

constexpr std::string_view kInstanceId = "service.instance.id";
constexpr std::string_view kProcessId = "process.pid";
constexpr std::string_view kVersion = SPANWIRE_VERSION;

// RFC 9562, version 4.
std::string random_uuid() {
  std::array<std::uint8_t, 16> bytes = TraceId::generate(Random::of_thread()).bytes();
  bytes[6] = static_cast<std::uint8_t>((bytes[6] & 0x0F) | 0x40);
  bytes[8] = static_cast<std::uint8_t>((bytes[8] & 0x3F) | 0x80);
  std::string text = TraceId(bytes).hex().str();
  for (const std::size_t at : {8u, 13u, 18u, 23u}) text.insert(at, 1, '-');
  return text;
}

}  // namespace

Resource Resource::of_process() {
  Resource resource;
  resource.set("service.name", std::string("unknown_service:") + program_invocation_short_name);
  resource.generated_instance_id_ = random_uuid();
  resource.set(kInstanceId, resource.generated_instance_id_);
  resource.set(kProcessId, std::int64_t{getpid()});
  std::array<char, 256> host{};
  if (gethostname(host.data(), host.size() - 1) == 0 && host[0] != '\0') {
    resource.set("host.name", std::string(host.data()));
  }
  resource.set("telemetry.sdk.name", std::string("spanwire"));
  resource.set("telemetry.sdk.language", std::string("cpp"));
  resource.set("telemetry.sdk.version", std::string(kVersion));
  return resource;
}

Resource& Resource::set(std::string_view key, ResourceValue value) {
  if (key.empty()) return *this;
  const auto at = std::find_if(attributes_.begin(), attributes_.end(),
                               [&](const auto& attribute) { return attribute.first == key; });
  if (at != attributes_.end()) {
    at->second = std::move(value);
  } else {
    attributes_.emplace_back(key, std::move(value));
  }
  return *this;
}

Resource& Resource::merge(const Resource& other) {
  for (const auto& [key, value] : other.attributes_) set(key, value);
  if (!other.generated_instance_id_.empty()) generated_instance_id_ = other.generated_instance_id_;
  return *this;
}

const std::string* Resource::text(std::string_view key) const noexcept {
  for (const auto& [name, value] : attributes_) {
    if (name == key) return std::get_if<std::string>(&value);
  }
  return nullptr;
}

void Resource::renew_after_fork() {
  for (auto& [key, value] : attributes_) {
    if (key == kProcessId) value = std::int64_t{getpid()};
    if (key != kInstanceId || value != ResourceValue(generated_instance_id_)) continue;
    generated_instance_id_ = random_uuid();
    value = generated_instance_id_;
  }
}

}  // namespace spanwire::trace
