#include "spanwire/otlp/file_exporter.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "spanwire/trace/provider.hpp"
#include "spanwire/trace/tracer.hpp"
#include "tests/support/fork.hpp"
#include "tests/support/leak_check.hpp"
#include "tests/support/log_capture.hpp"

namespace spanwire::otlp {
namespace {

using nlohmann::json;
constexpr std::chrono::seconds kEnough{30};

class FileExporterTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "spanwire-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override {
    if (trace::provider() != nullptr) trace::provider()->shutdown(kEnough);
    std::filesystem::remove_all(folder_);
  }

  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  static void export_to(const std::string& pattern) {
    trace::ProviderOptions options;
    options.exporters.push_back(std::make_unique<FileExporter>(pattern));
    trace::init(std::move(options));
  }
  static void record(const std::string& name) { trace::tracer("t").start({}, name).end(); }
  static trace::FlushReport flush() { return trace::provider()->force_flush(kEnough); }
  // One object a line; a line that is no JSON fails the test.
  static std::vector<json> lines(const std::string& file) {
    std::vector<json> all;
    std::ifstream in(file);
    for (std::string line; std::getline(in, line);) all.push_back(json::parse(line));
    return all;
  }
  static std::vector<std::string> names(const std::string& file) {
    std::vector<std::string> all;
    for (const json& line : lines(file)) {
      for (const json& span : line["resourceSpans"][0]["scopeSpans"][0]["spans"]) {
        all.push_back(span["name"]);
      }
    }
    return all;
  }

  testing::LeakCheck leaks_;
  std::filesystem::path folder_;
};

TEST_F(FileExporterTest, ExpandsThePattern) {
  EXPECT_EQ(expand_path("a-%p.json"), "a-" + std::to_string(getpid()) + ".json");
  EXPECT_EQ(expand_path("100%%p%x%"), "100%p%x%");
}

TEST_F(FileExporterTest, WritesABatchALine) {
  export_to(path("%p.jsonl"));
  record("first");
  EXPECT_TRUE(flush().complete());
  record("second");
  record("third");
  EXPECT_TRUE(trace::provider()->shutdown(kEnough).complete());
  const std::string file = path(std::to_string(getpid()) + ".jsonl");
  EXPECT_EQ(lines(file).size(), 2u);
  EXPECT_EQ(names(file), (std::vector<std::string>{"first", "second", "third"}));
}

TEST_F(FileExporterTest, AppendsToWhatIsThere) {
  std::ofstream(path("a")) << "{}\n";
  export_to(path("a"));
  record("more");
  EXPECT_TRUE(flush().complete());
  EXPECT_EQ(lines(path("a")).size(), 2u);
}

TEST_F(FileExporterTest, MakesARemovedFileAgain) {
  export_to(path("a"));
  record("lost with the file");
  EXPECT_TRUE(flush().complete());
  std::filesystem::remove(path("a"));
  record("kept");
  EXPECT_TRUE(flush().complete());
  EXPECT_EQ(names(path("a")), std::vector<std::string>{"kept"});
}

TEST_F(FileExporterTest, AFolderThatIsNotThereCostsTheBatch) {
  testing::LogCapture log;
  export_to(path("none/a"));
  record("lost");
  const trace::FlushReport report = flush();
  EXPECT_EQ(report.lost[trace::LossReason::export_failed], 1u);
  EXPECT_EQ(report.cause.code(), Errc::file_open_failed);
  EXPECT_TRUE(log.contains("none/a: No such file or directory")) << report.to_string();
  std::filesystem::create_directory(folder_ / "none");
  record("kept");
  EXPECT_TRUE(flush().complete());
  EXPECT_EQ(names(path("none/a")), std::vector<std::string>{"kept"});
}

TEST_F(FileExporterTest, AFullDiskCostsTheBatch) {
  if (access("/dev/full", W_OK) != 0) return;
  testing::LogCapture log;
  export_to("/dev/full");
  record("lost");
  const trace::FlushReport report = flush();
  EXPECT_EQ(report.lost[trace::LossReason::export_failed], 1u);
  EXPECT_EQ(report.cause.code(), Errc::file_write_failed);
  EXPECT_TRUE(report.in_time);
}

TEST_F(FileExporterTest, TheDescriptorIsClosedOnExec) {
  export_to(path("a"));
  record("open");
  ASSERT_TRUE(flush().complete());
  bool found = false;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code error;
    if (std::filesystem::read_symlink(entry.path(), error) != path("a")) continue;
    found = true;
    const int file = std::stoi(entry.path().filename().string());
    EXPECT_NE(fcntl(file, F_GETFD) & FD_CLOEXEC, 0);
  }
  EXPECT_TRUE(found);
}

// Parent and child each write their own file, under their own number, as their own instance.
TEST_F(FileExporterTest, AForkedChildWritesItsOwnFile) {
  export_to(path("%p"));
  record("before");
  const int code = testing::run_in_child([] {
    record("in the child");
    return trace::provider()->shutdown(kEnough).complete() ? 0 : 1;
  });
  EXPECT_EQ(code, 0);
  record("after");
  EXPECT_TRUE(trace::provider()->shutdown(kEnough).complete());
  const std::string own = path(std::to_string(getpid()));
  EXPECT_EQ(names(own), (std::vector<std::string>{"before", "after"}));
  std::vector<std::string> others;
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
    if (entry.path() != own) others.push_back(entry.path().string());
  }
  ASSERT_EQ(others.size(), 1u);
  EXPECT_EQ(names(others[0]), std::vector<std::string>{"in the child"});
  const auto attribute = [](const std::string& file, std::string_view key) {
    const json first = lines(file).at(0);
    for (const json& one : first["resourceSpans"][0]["resource"]["attributes"]) {
      if (one["key"] == key) return one["value"];
    }
    return json();
  };
  EXPECT_EQ(attribute(others[0], "process.pid")["intValue"],
            std::filesystem::path(others[0]).filename().string());
  EXPECT_EQ(attribute(own, "service.name"), attribute(others[0], "service.name"));
  EXPECT_NE(attribute(own, "service.instance.id"), attribute(others[0], "service.instance.id"));
}

}  // namespace
}  // namespace spanwire::otlp
