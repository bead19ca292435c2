#include "spanwire/transport/zmq_security.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "lib/transport/zmq/zap_handler.hpp"
#include "spanwire/base/counters.hpp"
#include "tests/support/log_capture.hpp"

namespace spanwire::transport {
namespace {

constexpr std::string_view kPublishedServer = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7";
constexpr std::string_view kPublishedSecret = "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6";
constexpr std::string_view kPublishedClient = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID";
constexpr std::string_view kPublishedClientSecret = "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs";

class ZmqSecurity : public ::testing::Test {
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
  static CurveKeyPair new_keys() { return CurveKeyPair::generate().value(); }
  static std::string public_file(std::string_view key) {
    return "metadata\ncurve\n    public-key = \"" + std::string(key) + "\"\n";
  }
  static std::string secret_file(std::string_view key, std::string_view secret) {
    return public_file(key) + "    secret-key = \"" + std::string(secret) + "\"\n";
  }
  static std::string secret_file(const CurveKeyPair& keys) {
    return secret_file(keys.public_key().text(), keys.secret_text());
  }

  std::filesystem::path folder_;
};

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

// ---- The list of keys that may connect

TEST_F(ZmqSecurity, AListNamesKeysAndTheirHolders) {
  const std::string a = new_keys().public_key().text();
  const CurvePublicKey b = new_keys().public_key();
  const auto list = AllowList::open(
      write("list", "# workers\n#\n#none\n\n" + a + " worker-1, rack 7\r\n\t" + b.text() + "\n"));
  ASSERT_TRUE(list.has_value()) << list.error().message();
  EXPECT_EQ((*list)->size(), 2u);
  EXPECT_TRUE((*list)->allows(CurvePublicKey::parse(a).value()));
  EXPECT_TRUE((*list)->allows(b));
  EXPECT_FALSE((*list)->allows(new_keys().public_key()));
  EXPECT_FALSE((*list)->allows(CurvePublicKey()));
}

// So that a line that begins with # can be a comment: the first of five characters counts 85^4
// each.
TEST_F(ZmqSecurity, NoKeyBeginsLikeAComment) {
  std::array<std::byte, kCurveKeyBytes> largest;
  largest.fill(std::byte{0xff});
  EXPECT_EQ(CurvePublicKey(largest).text().front(), '%');
  EXPECT_EQ(CurvePublicKey::parse('#' + std::string(39, '0')).error(), Errc::key_malformed);
}

TEST_F(ZmqSecurity, OneBadEntrySpoilsTheList) {
  const std::string good = new_keys().public_key().text() + "\n";
  const auto code = [&](const std::string& text, mode_t mode = 0600) {
    const auto list = AllowList::open(write("list", text, mode));
    return list ? Errc::ok : list.error().code();
  };
  EXPECT_EQ(code(good), Errc::ok);
  EXPECT_EQ(code(good + "short\n"), Errc::key_malformed);
  EXPECT_EQ(code(good + std::string(kPublishedClient)), Errc::key_published);
  EXPECT_EQ(code(good, 0666), Errc::file_permissions);
  EXPECT_EQ(code("# nobody yet\n"), Errc::not_found);
  EXPECT_EQ(AllowList::open(path("none")).error(), Errc::file_open_failed);
  const auto list = AllowList::open(write("list", "# x\n" + good + "short holder\n"));
  EXPECT_NE(list.error().message().find("line 3"), std::string::npos) << list.error().message();
}

TEST_F(ZmqSecurity, AFolderListsItsPublicKeyFiles) {
  const CurveKeyPair a = new_keys();
  const CurveKeyPair b = new_keys();
  const std::string keys = path("allowed");
  std::filesystem::create_directory(keys);
  EXPECT_EQ(AllowList::open(keys).error(), Errc::not_found);
  ASSERT_TRUE(write_key_files(path("allowed/a"), a, false));
  write("allowed/b.key", public_file(b.public_key().text()));
  write("allowed/.hidden.key", "not looked at");
  write("allowed/README", "not looked at");
  const auto list = AllowList::open(keys);
  ASSERT_TRUE(list.has_value()) << list.error().message();
  EXPECT_EQ((*list)->size(), 2u);
  EXPECT_TRUE((*list)->allows(a.public_key()));
  EXPECT_TRUE((*list)->allows(b.public_key()));
  // A file with a secret key in it was put there by mistake.
  write("allowed/c.key", secret_file(b));
  EXPECT_EQ(AllowList::open(keys).error(), Errc::file_malformed);
  std::filesystem::remove(path("allowed/c.key"));
  ASSERT_EQ(::chmod(keys.c_str(), 0777), 0);
  EXPECT_EQ(AllowList::open(keys).error(), Errc::file_permissions);
}

TEST_F(ZmqSecurity, AChangedListIsReadAgainAndABrokenOneLetsNobodyIn) {
  const testing::LogCapture log;
  ManualClock clock;
  const CurvePublicKey a = new_keys().public_key();
  const CurvePublicKey b = new_keys().public_key();
  const auto opened = AllowList::open(write("list", a.text() + "\n"), clock);
  ASSERT_TRUE(opened.has_value());
  AllowList& list = **opened;
  write("list", b.text() + "\n");
  EXPECT_TRUE(list.allows(a)) << "not looked at before its time";
  clock.advance(kAllowListCheck);
  EXPECT_FALSE(list.allows(a));
  EXPECT_TRUE(list.allows(b));
  EXPECT_TRUE(log.contains("has changed"));

  write("list", "broken\n");
  clock.advance(kAllowListCheck);
  EXPECT_FALSE(list.allows(b));
  EXPECT_TRUE(log.contains("nobody is let in"));
  EXPECT_EQ(list.size(), 0u);
  std::filesystem::remove(path("list"));
  clock.advance(kAllowListCheck);
  EXPECT_FALSE(list.allows(b));
  write("list", a.text() + "\n");
  clock.advance(kAllowListCheck);
  EXPECT_TRUE(list.allows(a));

  write("list", b.text() + "\n");
  ASSERT_TRUE(list.reload());
  EXPECT_TRUE(list.allows(b)) << "asked for, it needs no waiting";
  std::filesystem::remove(path("list"));
  EXPECT_EQ(list.reload().error(), Errc::file_open_failed);
  EXPECT_FALSE(list.allows(b));
}

// ---- The handler that libzmq asks, by the protocol's own words

class ZapHandlerTest : public ZmqSecurity {
 protected:
  void SetUp() override {
    ZmqSecurity::SetUp();
    context_ = zmq_ctx_new();
    handler_ = ZapHandler::start(context_).value();
    asking_ = zmq_socket(context_, ZMQ_REQ);
    ASSERT_EQ(zmq_connect(asking_, "inproc://zeromq.zap.01"), 0);
    list_ = AllowList::open(write("list", keys_.public_key().text() + "\n")).value();
    domain_ = handler_->add(list_);
  }
  void TearDown() override {
    zmq_close(asking_);
    handler_.reset();
    zmq_ctx_term(context_);
    ZmqSecurity::TearDown();
  }

  std::vector<std::string> ask(const std::vector<std::string>& parts) {
    for (std::size_t i = 0; i < parts.size(); ++i) {
      zmq_send(asking_, parts[i].data(), parts[i].size(), i + 1 < parts.size() ? ZMQ_SNDMORE : 0);
    }
    std::vector<std::string> answer;
    int more = 1;
    while (more != 0) {
      std::string part(256, '\0');
      const int got = zmq_recv(asking_, part.data(), part.size(), 0);
      part.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
      answer.push_back(std::move(part));
      std::size_t size = sizeof(more);
      zmq_getsockopt(asking_, ZMQ_RCVMORE, &more, &size);
    }
    return answer;
  }
  std::vector<std::string> ask_for(const CurvePublicKey& key, const std::string& domain,
                                   const std::string& mechanism = "CURVE") {
    return ask({"1.0", "17", domain, "10.0.0.7", "", mechanism, std::string(text_of(key.bytes()))});
  }

  const CurveKeyPair keys_ = new_keys();
  void* context_ = nullptr;
  void* asking_ = nullptr;
  std::unique_ptr<ZapHandler> handler_;
  std::shared_ptr<AllowList> list_;
  std::string domain_;
};

TEST_F(ZapHandlerTest, LetsInWhoIsInTheList) {
  const std::vector<std::string> answer = ask_for(keys_.public_key(), domain_);
  EXPECT_EQ(answer,
            (std::vector<std::string>{"1.0", "17", "200", "OK", keys_.public_key().text(), ""}));
}

TEST_F(ZapHandlerTest, RefusesEverybodyElseAndSaysWho) {
  const testing::LogCapture log;
  const std::int64_t before = counter_snapshot().value("spanwire.zmq.zap_refused");
  const CurvePublicKey stranger = new_keys().public_key();
  EXPECT_EQ(ask_for(stranger, domain_)[2], "400");
  EXPECT_TRUE(log.contains("key=" + stranger.text()) || log.contains("key=\"" + stranger.text()));
  EXPECT_TRUE(log.contains("10.0.0.7"));
  EXPECT_EQ(ask_for(keys_.public_key(), "unknown")[2], "400");
  EXPECT_EQ(ask_for(keys_.public_key(), "")[2], "400");
  EXPECT_EQ(ask_for(keys_.public_key(), domain_, "PLAIN")[2], "400");
  EXPECT_EQ(ask({"1.0", "18", domain_, "10.0.0.7", "", "NULL"})[2], "400");
  EXPECT_EQ(ask({"1.0", "18", domain_, "10.0.0.7", "", "CURVE", "short"})[2], "400");
  EXPECT_EQ(ask({"1.0", "18", domain_, "10.0.0.7", "", "CURVE"})[2], "400");
  EXPECT_EQ(counter_snapshot().value("spanwire.zmq.zap_refused") - before, 7);
}

TEST_F(ZapHandlerTest, AnswersWhatIsNoRequest) {
  EXPECT_EQ(ask({"2.0", "3", domain_, "10.0.0.7", "", "CURVE", std::string(32, 'x')})[2], "500");
  EXPECT_EQ(ask({""})[2], "500");
  EXPECT_EQ(ask({"1.0", "3"}),
            (std::vector<std::string>{"1.0", "3", "500", "not a ZAP 1.0 request", "", ""}));
  EXPECT_EQ(ask_for(keys_.public_key(), domain_)[2], "200") << "and goes on";
}

TEST_F(ZapHandlerTest, DomainsHaveListsOfTheirOwnUntilRemoved) {
  const CurvePublicKey other = new_keys().public_key();
  const std::string second =
      handler_->add(AllowList::open(write("second", other.text() + "\n")).value());
  EXPECT_NE(second, domain_);
  EXPECT_EQ(ask_for(other, second)[2], "200");
  EXPECT_EQ(ask_for(other, domain_)[2], "400");
  EXPECT_EQ(ask_for(keys_.public_key(), second)[2], "400");
  handler_->remove(second);
  EXPECT_EQ(ask_for(other, second)[2], "400");
  EXPECT_EQ(ask_for(keys_.public_key(), domain_)[2], "200");
}

TEST_F(ZapHandlerTest, ASecondHandlerOfAContextIsAnError) {
  EXPECT_EQ(ZapHandler::start(context_).error(), Errc::already_exists);
  EXPECT_EQ(ask_for(keys_.public_key(), domain_)[2], "200");
}

}  // namespace
}  // namespace spanwire::transport
