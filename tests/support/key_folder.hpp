// KeyFolder: a folder of key files, gone at the test's end.
#pragma once

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "spanwire/transport/zmq_security.hpp"

namespace spanwire::testing {

class KeyFolder : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "spanwire-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  std::string write(const std::string& name, const std::string& text, mode_t mode = 0600) {
    // Anew: a list tells a change by the file's number and time.
    std::filesystem::remove(path(name));
    std::ofstream(path(name)) << text;
    EXPECT_EQ(::chmod(path(name).c_str(), mode), 0);
    return path(name);
  }
  static transport::CurveKeyPair new_keys() { return transport::CurveKeyPair::generate().value(); }
  static std::string public_file(std::string_view key) {
    return "metadata\ncurve\n    public-key = \"" + std::string(key) + "\"\n";
  }
  static std::string secret_file(std::string_view key, std::string_view secret) {
    return public_file(key) + "    secret-key = \"" + std::string(secret) + "\"\n";
  }
  static std::string secret_file(const transport::CurveKeyPair& keys) {
    return secret_file(keys.public_key().text(), keys.secret_text());
  }

  std::filesystem::path folder_;
};

}  // namespace spanwire::testing
