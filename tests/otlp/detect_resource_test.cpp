#include "lib/otlp/detect_resource.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>

namespace spanwire::otlp {
namespace {

const std::string kId(64, 'a');

class DetectResource : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = (std::filesystem::temp_directory_path() / "spanwire-XXXXXX").string();
    ASSERT_NE(mkdtemp(root_.data()), nullptr);
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  void write(const std::string& path, const std::string& text) const {
    const std::filesystem::path whole = root_ + path;
    std::filesystem::create_directories(whole.parent_path());
    std::ofstream(whole) << text;
  }
  std::string text(const std::string& key) const {
    const trace::Resource resource = detect_resource(
        [this](std::string_view name) -> std::optional<std::string> {
          const auto at = variables_.find(name);
          if (at == variables_.end()) return std::nullopt;
          return at->second;
        },
        root_);
    const std::string* value = resource.text(key);
    return value != nullptr ? *value : "";
  }

  std::string root_;
  std::map<std::string, std::string, std::less<>> variables_;
};

TEST_F(DetectResource, KnowsItsProcessAndHost) {
  write("/etc/machine-id", "0123456789abcdef\n");
  EXPECT_EQ(text("host.id"), "0123456789abcdef");
  EXPECT_EQ(text("os.type"), "linux");
  EXPECT_EQ(text("process.executable.name"), "tests_otlp");
  EXPECT_NE(text("process.executable.path").find("tests_otlp"), std::string::npos);
  EXPECT_FALSE(text("host.arch").empty());
  EXPECT_EQ(text("container.id"), "");
  EXPECT_EQ(text("k8s.pod.name"), "");
}

TEST_F(DetectResource, FindsTheContainerInItsControlGroup) {
  for (const std::string& group :
       {"12:cpu:/docker/" + kId, "0::/kubepods/besteffort/pod1/" + kId,
        "0::/system.slice/cri-containerd-" + kId + ".scope", "1:name=systemd:/x/" + kId + "\n"}) {
    write("/proc/self/cgroup", "1:name=systemd:/init.scope\n" + group);
    EXPECT_EQ(text("container.id"), kId) << group;
  }
}

TEST_F(DetectResource, FindsTheContainerInWhatIsMounted) {
  write("/proc/self/cgroup", "0::/\n");
  write("/proc/self/mountinfo", "1 2 0:1 / / rw - overlay overlay rw,workdir=/x/" +
                                    std::string(64, 'b') + "\n3 4 8:1 /var/lib/docker/containers/" +
                                    kId + "/hostname /etc/hostname rw - ext4 x rw\n");
  EXPECT_EQ(text("container.id"), kId);
}

TEST_F(DetectResource, TakesNoOtherNumberForAContainer) {
  write("/proc/self/cgroup", "0::/" + std::string(63, 'a') + "/" + std::string(65, 'a') + "/" +
                                 std::string(64, 'A') + "\n");
  EXPECT_EQ(text("container.id"), "");
}

TEST_F(DetectResource, KnowsItsPod) {
  variables_ = {{"KUBERNETES_SERVICE_HOST", "10.0.0.1"},
                {"HOSTNAME", "decode-0"},
                {"NODE_NAME", "n1"},
                {"POD_UID", "u"}};
  write("/var/run/secrets/kubernetes.io/serviceaccount/namespace", "llm-d");
  EXPECT_EQ(text("k8s.pod.name"), "decode-0");
  EXPECT_EQ(text("k8s.node.name"), "n1");
  EXPECT_EQ(text("k8s.pod.uid"), "u");
  EXPECT_EQ(text("k8s.namespace.name"), "llm-d");
  variables_.emplace("K8S_POD_NAME", "named");
  variables_.emplace("POD_NAMESPACE", "other");
  EXPECT_EQ(text("k8s.pod.name"), "named");
  EXPECT_EQ(text("k8s.namespace.name"), "other");
}

// Names of other systems' variables mean nothing outside of Kubernetes.
TEST_F(DetectResource, ThinksOfNoPodWithoutKubernetes) {
  variables_ = {{"POD_NAME", "x"}, {"HOSTNAME", "y"}};
  EXPECT_EQ(text("k8s.pod.name"), "");
}

}  // namespace
}  // namespace spanwire::otlp
