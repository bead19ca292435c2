#include <gtest/gtest.h>
#include <sys/stat.h>
#include <zmq.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "lib/transport/zmq/zap_handler.hpp"
#include "spanwire/base/counters.hpp"
#include "spanwire/transport/zmq_security.hpp"
#include "tests/support/key_folder.hpp"
#include "tests/support/log_capture.hpp"

namespace spanwire::transport {
namespace {

constexpr std::string_view kPublishedClient = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID";

using AllowListTest = testing::KeyFolder;

// ---- The list of keys that may connect

TEST_F(AllowListTest, AListNamesKeysAndTheirHolders) {
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
TEST_F(AllowListTest, NoKeyBeginsLikeAComment) {
  std::array<std::byte, kCurveKeyBytes> largest;
  largest.fill(std::byte{0xff});
  EXPECT_EQ(CurvePublicKey(largest).text().front(), '%');
  EXPECT_EQ(CurvePublicKey::parse('#' + std::string(39, '0')).error(), Errc::key_malformed);
}

TEST_F(AllowListTest, OneBadEntrySpoilsTheList) {
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

TEST_F(AllowListTest, AFolderListsItsPublicKeyFiles) {
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

TEST_F(AllowListTest, AChangedListIsReadAgainAndABrokenOneLetsNobodyIn) {
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

class ZapHandlerTest : public testing::KeyFolder {
 protected:
  void SetUp() override {
    KeyFolder::SetUp();
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
    KeyFolder::TearDown();
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
