// What can be found out about this process, its host, its container and its pod.
#pragma once

#include <string>

#include "spanwire/otlp/environment.hpp"
#include "spanwire/trace/resource.hpp"

namespace spanwire::otlp {

// Over Resource::of_process(): process.executable.name and .path, os.type, host.arch, host.id,
// container.id, and under Kubernetes k8s.pod.name and .uid, k8s.namespace.name, k8s.node.name,
// k8s.container.name, as far as they can be read.  `root` stands for "/", for tests.
trace::Resource detect_resource(const Environment& environment, const std::string& root = "");

}  // namespace spanwire::otlp
