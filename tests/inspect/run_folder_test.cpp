#include "spanwire/inspect/run_folder.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "spanwire/inspect/manifest.hpp"

namespace spanwire::inspect {
namespace {

namespace fs = std::filesystem;

class RunFolders : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    folder_ = fs::path(::testing::TempDir()) /
              (std::string("spanwire_run_") + test->name() + '_' + std::to_string(::getpid()));
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string path(const char* name) const { return (folder_ / name).string(); }
  static std::string content(const std::string& file) {
    std::ifstream in(file);
    std::stringstream text;
    text << in.rdbuf();
    return text.str();
  }
  std::size_t files() const {
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(folder_), fs::directory_iterator()));
  }

  fs::path folder_;
};

TEST_F(RunFolders, AFileHasItsNameOnlyWhenItIsWhole) {
  {
    Result<WholeFile> file = WholeFile::create(path("a"));
    ASSERT_TRUE(file) << file.error().message();
    ASSERT_TRUE(file->write("half"));
    EXPECT_FALSE(fs::exists(path("a")));
  }
  EXPECT_EQ(files(), 0u) << "dropped: nothing is left";
  Result<WholeFile> file = WholeFile::create(path("a"));
  ASSERT_TRUE(file->write("whole"));
  WholeFile moved = std::move(*file);
  ASSERT_TRUE(moved.keep());
  EXPECT_EQ(content(path("a")), "whole");
  ASSERT_TRUE(write_whole_file(path("a"), "new"));
  EXPECT_EQ(content(path("a")), "new");
  EXPECT_EQ(files(), 1u);
}

TEST_F(RunFolders, AFileThatCannotBeMadeIsNamed) {
  const Result<WholeFile> file = WholeFile::create(path("none/a"));
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code(), Errc::file_open_failed);
  EXPECT_NE(file.error().detail().find("none/a"), std::string_view::npos);
  fs::create_directory(path("taken"));
  const Result<void> kept = write_whole_file(path("taken"), "x");
  ASSERT_FALSE(kept);
  EXPECT_EQ(kept.error().code(), Errc::file_write_failed);
  EXPECT_EQ(files(), 1u) << "the folder alone";
}

TEST_F(RunFolders, AreMadeWithAllThatARunNeeds) {
  const Result<RunFolder> run = RunFolder::create(path("runs/7"));
  ASSERT_TRUE(run) << run.error().message();
  for (const std::string_view folder : RunFolder::folders()) {
    EXPECT_TRUE(fs::is_directory(run->of(folder))) << folder;
    EXPECT_TRUE(fs::is_empty(run->of(folder))) << folder;
  }
  EXPECT_TRUE(RunFolder::open(path("runs/7")));
  EXPECT_EQ(RunFolder::open(path("runs")).error().code(), Errc::not_found);
}

TEST_F(RunFolders, AFileInTheWayIsNamed) {
  std::ofstream(path("runs")) << "x";
  const Result<RunFolder> run = RunFolder::create(path("runs"));
  ASSERT_FALSE(run);
  EXPECT_EQ(run.error().code(), Errc::file_open_failed);
}

TEST_F(RunFolders, AManifestIsReadAsItWasWritten) {
  Manifest manifest;
  manifest.run_id = "7";
  manifest.services = {"a"};
  manifest.start_ns = 1'795'232'994'123'456'789;
  manifest.end_ns = manifest.start_ns + 5;
  manifest.depth = 100;
  manifest.host_path = "/runs/7";
  manifest.container_path = "/telemetry/7";
  manifest.traces = Fetched{12, 3, 1, 4, 50, true, false, true};
  manifest.files["x"] = {5, "ab"};
  const Result<Manifest> read = parse_manifest(manifest_text(manifest));
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(read->run_id, "7");
  EXPECT_EQ(read->host_path, manifest.host_path);
  EXPECT_EQ(read->container_path, manifest.container_path);
  EXPECT_EQ(read->services, manifest.services);
  EXPECT_EQ(read->start_ns, manifest.start_ns);
  EXPECT_EQ(read->end_ns, manifest.end_ns);
  EXPECT_EQ(read->traces->foreign, 1u);
  EXPECT_TRUE(read->traces->truncated);
  EXPECT_FALSE(read->traces->stable);
  EXPECT_FALSE(read->probe);
  EXPECT_EQ(read->files.at("x").bytes, 5u);
  for (const char* text : {"", "[]", "{", R"({"depth":"x"})", R"({"window":{"start":"soon"}})",
                           R"({"files":[1]})", R"({"traces":3})"}) {
    EXPECT_FALSE(parse_manifest(text)) << text;
  }
}

TEST_F(RunFolders, AManifestOfARunThatFetchedNothingYetHasNoWindowAndNoAnswers) {
  const Result<RunFolder> run = RunFolder::create(path("r"));
  ASSERT_TRUE(run);
  Manifest manifest;
  manifest.source = "http://127.0.0.1:1";
  manifest.services = {"a"};
  const std::string text = manifest_text(manifest);
  EXPECT_EQ(text.find("window"), std::string::npos);
  EXPECT_EQ(parse_manifest(text)->source, manifest.source);
  ASSERT_TRUE(write_whole_file(run->of(kManifestFile), text));
  EXPECT_TRUE(answers_of(*run)->asked.empty());
}

TEST_F(RunFolders, AnswersComeFromTheFilesThatAreThere) {
  const Result<RunFolder> run = RunFolder::create(path("r"));
  ASSERT_TRUE(run);
  EXPECT_FALSE(answers_of(*run)->services);
  ASSERT_TRUE(write_whole_file(run->of(kServicesFile), R"({"services":["a"]})"));
  ASSERT_TRUE(write_whole_file(run->of(kProbeFile),
                               R"({"error":{"httpCode":404,"message":"No traces found"}})"));
  Manifest manifest;
  manifest.services = {"a"};
  manifest.end_ns = 1;
  manifest.depth = 100;
  manifest.traces = Fetched{12, 3, 0, 4, 50, true, true, true};
  ASSERT_TRUE(write_whole_file(run->of(kManifestFile), manifest_text(manifest)));
  const Result<BackendAnswers> answers = answers_of(*run);
  ASSERT_TRUE(answers) << answers.error().message();
  EXPECT_EQ(answers->services, std::vector<std::string>{"a"});
  EXPECT_EQ(answers->probe_traces, 0u);
  EXPECT_EQ(answers->asked, std::vector<std::string>{"a"});
  EXPECT_EQ(answers->depth, 50u);
  EXPECT_TRUE(answers->truncated);
  ASSERT_TRUE(write_whole_file(run->of(kServicesFile), "<html>"));
  EXPECT_EQ(answers_of(*run).error().code(), Errc::answer_not_understood);
}

}  // namespace
}  // namespace spanwire::inspect
