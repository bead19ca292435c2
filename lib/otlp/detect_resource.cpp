#include "lib/otlp/detect_resource.hpp"

#include <errno.h>
#include <fcntl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <initializer_list>
#include <optional>
#include <string_view>
#include <utility>

#include "lib/base/ascii.hpp"
#include "lib/otlp/environment_reader.hpp"

namespace spanwire::otlp {
namespace {

constexpr std::size_t kContainerIdChars = 64;
// /proc/self/mountinfo of a busy host is a few ten thousand bytes.
constexpr std::size_t kFileBytesMax = 1u << 20;

// Empty when it cannot be read.
std::string content_of(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return {};
  std::string content;
  std::array<char, 4096> piece{};
  while (content.size() < kFileBytesMax) {
    const ssize_t bytes = ::read(file, piece.data(), piece.size());
    if (bytes < 0 && errno == EINTR) continue;
    if (bytes <= 0) break;
    content.append(piece.data(), static_cast<std::size_t>(bytes));
  }
  ::close(file);
  return content;
}

bool is_container_id(std::string_view text) noexcept {
  return text.size() == kContainerIdChars &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// The last id between slashes, dashes, colons or dots: every runtime writes its paths differently
// (docker/ID, cri-containerd-ID.scope, containers/ID/hostname), and all contain it whole.
std::string last_container_id(std::string_view text) {
  std::string_view found;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find_first_of("/-:. \n"), text.size());
    if (is_container_id(text.substr(0, end))) found = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return std::string(found);
}

std::string container_id(const std::string& root) {
  // Version 1 of control groups has it in the groups' names, version 2 only in what is mounted.
  std::string id = last_container_id(content_of(root + "/proc/self/cgroup"));
  if (!id.empty()) return id;
  const std::string mounts = content_of(root + "/proc/self/mountinfo");
  std::size_t begin = 0;
  while (begin < mounts.size()) {
    const std::size_t end = std::min(mounts.find('\n', begin), mounts.size());
    const std::string_view line = std::string_view(mounts).substr(begin, end - begin);
    if (line.find("/etc/hostname") != std::string_view::npos) id = last_container_id(line);
    if (!id.empty()) return id;
    begin = end + 1;
  }
  return {};
}

std::string_view architecture(std::string_view machine) noexcept {
  if (machine == "x86_64") return "amd64";
  if (machine == "aarch64") return "arm64";
  return machine;
}

void set_if_known(trace::Resource& resource, std::string_view key, std::string value) {
  if (!value.empty()) resource.set(key, std::move(value));
}

void detect_host(trace::Resource& resource, const std::string& root) {
  resource.set("os.type", std::string("linux"));
  utsname names{};
  if (uname(&names) == 0)
    set_if_known(resource, "host.arch", std::string(architecture(names.machine)));
  set_if_known(resource, "host.id", std::string(stripped(content_of(root + "/etc/machine-id"))));
  set_if_known(resource, "container.id", container_id(root));
}

void detect_process(trace::Resource& resource) {
  resource.set("process.executable.name", std::string(program_invocation_short_name));
  std::array<char, 4096> path{};
  const ssize_t bytes = readlink("/proc/self/exe", path.data(), path.size());
  if (bytes > 0) {
    resource.set("process.executable.path",
                 std::string(path.data(), static_cast<std::size_t>(bytes)));
  }
}

void detect_kubernetes(trace::Resource& resource, const Environment& environment,
                       const std::string& root) {
  if (!environment("KUBERNETES_SERVICE_HOST")) return;
  const auto first_of = [&](std::initializer_list<const char*> names) -> std::string {
    for (const char* name : names) {
      const std::optional<std::string> value = environment(name);
      if (value && !value->empty()) return *value;
    }
    return {};
  };
  // The names that people give to what they take from the pod's own description.
  set_if_known(resource, "k8s.pod.name", first_of({"K8S_POD_NAME", "POD_NAME", "HOSTNAME"}));
  set_if_known(resource, "k8s.pod.uid", first_of({"K8S_POD_UID", "POD_UID"}));
  set_if_known(resource, "k8s.node.name", first_of({"K8S_NODE_NAME", "NODE_NAME"}));
  set_if_known(resource, "k8s.container.name", first_of({"K8S_CONTAINER_NAME", "CONTAINER_NAME"}));
  std::string space = first_of({"K8S_NAMESPACE_NAME", "POD_NAMESPACE", "NAMESPACE"});
  if (space.empty()) {
    space = stripped(content_of(root + "/var/run/secrets/kubernetes.io/serviceaccount/namespace"));
  }
  set_if_known(resource, "k8s.namespace.name", std::move(space));
}

}  // namespace

trace::Resource detect_resource(const Environment& environment, const std::string& root) {
  trace::Resource resource = trace::Resource::of_process();
  detect_process(resource);
  detect_host(resource, root);
  detect_kubernetes(resource, environment, root);
  return resource;
}

}  // namespace spanwire::otlp
