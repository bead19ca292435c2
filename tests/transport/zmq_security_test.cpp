#include "spanwire/transport/zmq_security.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "tests/support/key_folder.hpp"

namespace spanwire::transport {
namespace {

constexpr std::string_view kPublishedServer = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7";
constexpr std::string_view kPublishedSecret = "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6";
constexpr std::string_view kPublishedClient = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID";
constexpr std::string_view kPublishedClientSecret = "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs";

using ZmqSecurity = testing::KeyFolder;

// ---- Keys

struct BadKey {
  const char* name;
  std::string text;
  Errc expected;
};
class ZmqKeyRejects : public ::testing::TestWithParam<BadKey> {};
TEST_P(ZmqKeyRejects, WithTheRightErrorAndWithoutSayingIt) {
  const auto key = CurvePublicKey::parse(GetParam().text);
  const auto keys = CurveKeyPair::of_secret(GetParam().text);
  ASSERT_FALSE(key.has_value());
  ASSERT_FALSE(keys.has_value());
  EXPECT_EQ(key.error(), GetParam().expected);
  EXPECT_EQ(keys.error(), GetParam().expected);
  if (GetParam().text.size() > 1) {
    EXPECT_EQ(keys.error().message().find(GetParam().text), std::string::npos);
  }
}
INSTANTIATE_TEST_SUITE_P(
    All, ZmqKeyRejects,
    ::testing::Values(BadKey{"Empty", "", Errc::key_malformed},
                      BadKey{"Short", std::string(39, 'a'), Errc::key_malformed},
                      BadKey{"Long", std::string(41, 'a'), Errc::key_malformed},
                      BadKey{"Hex", std::string(64, 'a'), Errc::key_malformed},
                      BadKey{"Quote", std::string(39, 'a') + '"', Errc::key_malformed},
                      BadKey{"Zero", std::string(40, '\0'), Errc::key_malformed},
                      BadKey{"NotAscii", std::string(40, '\xc3'), Errc::key_malformed},
                      BadKey{"Overflow", std::string(40, '#'), Errc::key_malformed},
                      BadKey{"Server", std::string(kPublishedServer), Errc::key_published},
                      BadKey{"ServerSecret", std::string(kPublishedSecret), Errc::key_published},
                      BadKey{"Client", std::string(kPublishedClient), Errc::key_published},
                      BadKey{"ClientSecret", std::string(kPublishedClientSecret),
                             Errc::key_published}),
    [](const auto& tested) { return tested.param.name; });

TEST_F(ZmqSecurity, ATextBecomesTheKeyThatItCameFrom) {
  const CurveKeyPair keys = new_keys();
  EXPECT_EQ(keys.public_key().text().size(), kCurveTextBytes);
  EXPECT_EQ(CurvePublicKey::parse(keys.public_key().text()).value(), keys.public_key());
  EXPECT_EQ(CurveKeyPair::of_secret(keys.secret_text()).value().public_key(), keys.public_key());
  EXPECT_NE(new_keys().public_key(), keys.public_key());
}

// ---- Files

TEST_F(ZmqSecurity, WrittenFilesAreReadBack) {
  const CurveKeyPair keys = new_keys();
  const mode_t before = ::umask(0);
  const auto written = write_key_files(path("worker"), keys, false);
  ::umask(before);
  ASSERT_TRUE(written.has_value()) << written.error().message();
  EXPECT_EQ(read_public_key_file(path("worker.key")).value(), keys.public_key());
  EXPECT_EQ(read_secret_key_file(path("worker.key_secret")).value().secret_text(),
            keys.secret_text());
  struct stat info{};
  ASSERT_EQ(::stat(path("worker.key_secret").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600u);
  ASSERT_EQ(::stat(path("worker.key").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0644u);
}

TEST_F(ZmqSecurity, NothingIsOverwrittenUnlessAskedFor) {
  const CurveKeyPair first = new_keys();
  const CurveKeyPair second = new_keys();
  ASSERT_TRUE(write_key_files(path("a"), first, false));
  for (const char* left : {"a.key", "a.key_secret"}) {
    EXPECT_EQ(write_key_files(path("a"), second, false).error(), Errc::already_exists);
    EXPECT_EQ(read_public_key_file(path("a.key")).value(), first.public_key());
    EXPECT_EQ(read_secret_key_file(path("a.key_secret")).value().public_key(), first.public_key());
    // One of the two alone is enough to refuse.
    std::filesystem::rename(path(left), path("aside"));
    EXPECT_EQ(write_key_files(path("a"), second, false).error(), Errc::already_exists);
    EXPECT_FALSE(std::filesystem::exists(path(left)));
    std::filesystem::rename(path("aside"), path(left));
  }
  ASSERT_TRUE(write_key_files(path("a"), second, true));
  EXPECT_EQ(read_public_key_file(path("a.key")).value(), second.public_key());
  EXPECT_EQ(read_secret_key_file(path("a.key_secret")).value().public_key(), second.public_key());
  EXPECT_EQ(write_key_files(path("no/such/folder"), first, false).error(), Errc::file_write_failed);
  std::size_t files = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder_)) ++files;
  EXPECT_EQ(files, 2u) << "nothing is left beside them";
}

struct BadFile {
  const char* name;
  std::string text;
  Errc as_public;
  Errc as_secret;
};
class ZmqKeyFileRejects : public ZmqSecurity, public ::testing::WithParamInterface<BadFile> {};
TEST_P(ZmqKeyFileRejects, WithTheRightErrorThatNamesTheFile) {
  const std::string file = write("bad", GetParam().text);
  const auto as_public = read_public_key_file(file);
  const auto as_secret = read_secret_key_file(file);
  EXPECT_EQ(as_public ? Errc::ok : as_public.error().code(), GetParam().as_public);
  EXPECT_EQ(as_secret ? Errc::ok : as_secret.error().code(), GetParam().as_secret);
  if (!as_public) {
    EXPECT_NE(as_public.error().message().find(file), std::string::npos);
  }
  EXPECT_NE(as_secret.error().message().find(file), std::string::npos);
}

std::string lines(const char* text) { return std::string("metadata\n") + text; }
INSTANTIATE_TEST_SUITE_P(
    All, ZmqKeyFileRejects,
    ::testing::Values(
        BadFile{"Empty", "", Errc::file_malformed, Errc::file_malformed},
        BadFile{"NoKey", lines("curve\n"), Errc::file_malformed, Errc::file_malformed},
        BadFile{"NoQuotes", lines("curve\n    public-key = abc\n"), Errc::file_malformed,
                Errc::file_malformed},
        BadFile{"OneQuote", lines("curve\n    public-key = \"\n"), Errc::file_malformed,
                Errc::file_malformed},
        BadFile{"Twice", lines("curve\n public-key = \"a\"\n public-key = \"a\"\n"),
                Errc::file_malformed, Errc::file_malformed},
        BadFile{"ShortKey", lines("curve\n    public-key = \"abc\"\n"), Errc::key_malformed,
                Errc::file_malformed},
        BadFile{"OnlySecret", lines("curve\n    secret-key = \"abc\"\n"), Errc::file_malformed,
                Errc::file_malformed},
        BadFile{"Published",
                lines("curve\n    public-key = \"rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7\"\n"),
                Errc::key_published, Errc::file_malformed},
        BadFile{"PublishedPair",
                lines("curve\n    public-key = \"rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7\"\n"
                      "    secret-key = \"JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6\"\n"),
                Errc::file_malformed, Errc::key_published},
        BadFile{"TooLarge", std::string(kKeyFileBytesMax + 1, '\n'), Errc::file_malformed,
                Errc::file_malformed}),
    [](const auto& tested) { return tested.param.name; });

TEST_F(ZmqSecurity, ASecretFileIsForItsOwnerAlone) {
  const CurveKeyPair keys = new_keys();
  for (const mode_t mode : {0644, 0640, 0604, 0666, 0610, 0620}) {
    const std::string file = write("s", secret_file(keys), mode);
    const auto read = read_secret_key_file(file);
    ASSERT_FALSE(read.has_value()) << mode;
    EXPECT_EQ(read.error(), Errc::file_permissions);
  }
  for (const mode_t mode : {0600, 0400, 0700}) {
    EXPECT_TRUE(read_secret_key_file(write("s", secret_file(keys), mode))) << mode;
  }
}

TEST_F(ZmqSecurity, APublicFileThatAnybodyMayWriteIsRefused) {
  const std::string key = new_keys().public_key().text();
  EXPECT_TRUE(read_public_key_file(write("p", public_file(key), 0644)));
  EXPECT_EQ(read_public_key_file(write("p", public_file(key), 0666)).error(),
            Errc::file_permissions);
}

TEST_F(ZmqSecurity, ASecretFileIsNoPublicFileAndKeysMustBeAPair) {
  const CurveKeyPair keys = new_keys();
  EXPECT_EQ(read_public_key_file(write("s", secret_file(keys))).error(), Errc::file_malformed);
  const std::string mixed = secret_file(new_keys().public_key().text(), keys.secret_text());
  EXPECT_EQ(read_secret_key_file(write("s", mixed)).error(), Errc::file_malformed);
}

TEST_F(ZmqSecurity, WhatIsNotAFileIsNotRead) {
  EXPECT_EQ(read_public_key_file(path("none")).error(), Errc::file_open_failed);
  EXPECT_EQ(read_public_key_file(folder_.string()).error(), Errc::file_malformed);
  ASSERT_EQ(::mkfifo(path("pipe").c_str(), 0600), 0);
  EXPECT_EQ(read_secret_key_file(path("pipe")).error(), Errc::file_malformed);
}

TEST_F(ZmqSecurity, OptionsThatLackAPartAreRefused) {
  ASSERT_TRUE(write_key_files(path("a"), new_keys(), false));
  CurveOptions options;
  EXPECT_TRUE(options.empty());
  options.secret_key_file = path("a.key_secret");
  EXPECT_FALSE(options.empty());
  EXPECT_EQ(CurveClient::load(options).error(), Errc::invalid_argument);
  EXPECT_EQ(CurveServer::load(options).error(), Errc::invalid_argument);
  options.server_key_file = path("a.key");
  options.allowed_keys = folder_.string();
  EXPECT_TRUE(CurveClient::load(options));
  EXPECT_TRUE(CurveServer::load(options));
  options.secret_key_file.clear();
  EXPECT_EQ(CurveClient::load(options).error(), Errc::invalid_argument);
  EXPECT_EQ(CurveServer::load(options).error(), Errc::invalid_argument);
}

}  // namespace
}  // namespace spanwire::transport
