#include <gtest/gtest.h>

#include <set>

#include "examples/serving/corpus.hpp"
#include "examples/serving/language_model.hpp"
#include "examples/serving/vocabulary.hpp"

namespace serving {
namespace {

using Strings = std::vector<std::string>;

struct ProseCase {
  const char* name;
  const char* markdown;
  Strings prose;
};

class Prose : public testing::TestWithParam<ProseCase> {};

TEST_P(Prose, IsWhatPeopleReadAloud) { EXPECT_EQ(prose_of(GetParam().markdown), GetParam().prose); }

INSTANTIATE_TEST_SUITE_P(
    Cases, Prose,
    testing::Values(
        ProseCase{"plain", "One two three four.", {"One two three four."}},
        ProseCase{"lines_join",
                  "One two\nthree four.\n\nFive six seven eight.",
                  {"One two three four.", "Five six seven eight."}},
        ProseCase{"code",
                  "One two three four.\n```\nint x = 1; return x;\n```\n",
                  {"One two three four."}},
        ProseCase{"table", "| a b c d | e |\n|---|---|\n", {}},
        ProseCase{
            "heading", "# A title of four words\nOne two three four.", {"One two three four."}},
        ProseCase{"items",
                  "- One two three four.\n- Five six seven\n  eight.\n",
                  {"One two three four.", "Five six seven eight."}},
        ProseCase{"numbered", "1. One two three four.\n", {"One two three four."}},
        ProseCase{"marks", "One **two** `three` [four](five.md) six.", {"One two three four six."}},
        ProseCase{"too_short", "One two three", {}}, ProseCase{"empty", "", {}}),
    [](const auto& each) { return std::string(each.param.name); });

TEST(Corpus, OfThisProjectHasProse) {
  const auto paragraphs = read_corpus(SPANWIRE_SOURCE_DIR);
  ASSERT_TRUE(paragraphs) << paragraphs.error().message();
  EXPECT_GT(paragraphs->size(), 20u);
}

TEST(Corpus, SaysWhatCannotBeRead) {
  const auto paragraphs = read_corpus("no/such/file.txt");
  ASSERT_FALSE(paragraphs);
  EXPECT_EQ(paragraphs.error().code(), spanwire::Errc::file_read_failed);
}

TEST(Vocabulary, GivesBackEveryText) {
  const Strings corpus = {"The quick brown fox."};
  const Vocabulary vocabulary(corpus);
  for (const std::string text :
       {"The quick brown fox.", " unknown words, caf\xC3\xA9\n  and\tblanks ", "", " ", "a  b"}) {
    std::string joined;
    for (const Token token : vocabulary.encode(text)) joined += vocabulary.text(token);
    EXPECT_EQ(joined, text);
  }
}

TEST(Vocabulary, KnowsWholeWordsAndSpellsOthers) {
  const Strings corpus = {"The quick brown fox."};
  const Vocabulary vocabulary(corpus);
  EXPECT_EQ(vocabulary.encode("The quick fox.").size(), 4u);
  EXPECT_EQ(vocabulary.encode("xyz").size(), 3u);
  EXPECT_EQ(vocabulary.text(kUserTurn), "");
  EXPECT_EQ(vocabulary.text(1'000'000), "");
}

class Model : public testing::Test {
 protected:
  std::vector<Token> prompt(const std::string& question) const {
    std::vector<Token> tokens = {kUserTurn};
    for (const Token token : model_.vocabulary().encode(question)) tokens.push_back(token);
    tokens.push_back(kAssistantTurn);
    return tokens;
  }
  std::string answer(const std::string& question, const Sampling& sampling) const {
    std::vector<Token> tokens = prompt(question);
    std::string text;
    for (const Token token : model_.opening(tokens, sampling)) {
      tokens.push_back(token);
      text += model_.vocabulary().text(token);
    }
    for (int i = 0; i < 50; ++i) {
      const Token token = model_.next(tokens, sampling);
      if (token == kEndOfText) return text;
      tokens.push_back(token);
      text += model_.vocabulary().text(token);
    }
    return text;
  }
  static Sampling greedy() {
    Sampling sampling;
    sampling.temperature = 0;
    return sampling;
  }

  const Strings corpus_ = {"A scheduler decides which request runs in the next step.",
                           "Deadlines travel with every call and expire on both sides.",
                           "Nobody reads the weather in a distant harbour town."};
  const LanguageModel model_{corpus_};
};

TEST_F(Model, SpeaksOfWhatItWasAsked) {
  EXPECT_EQ(answer("What about deadlines?", greedy()),
            "Deadlines travel with every call and expire on both sides.");
  EXPECT_EQ(answer("Who is the scheduler?", greedy()),
            "A scheduler decides which request runs in the next step.");
}

TEST_F(Model, GivesTheSameForTheSameSeed) {
  Sampling sampling;
  sampling.temperature = 1.5;
  for (sampling.seed = 0; sampling.seed < 20; ++sampling.seed)
    EXPECT_EQ(answer("Anything?", sampling), answer("Anything?", sampling));
}

TEST_F(Model, VariesWithTheSeed) {
  Sampling sampling;
  sampling.temperature = 1.5;
  std::set<std::string> answers;
  for (sampling.seed = 0; sampling.seed < 50; ++sampling.seed)
    answers.insert(answer("Anything?", sampling));
  EXPECT_GT(answers.size(), 1u);
}

TEST_F(Model, HasTheFingerprintOfItsCorpus) {
  EXPECT_EQ(LanguageModel(corpus_).fingerprint(), model_.fingerprint());
  Strings other = corpus_;
  other.pop_back();
  EXPECT_NE(LanguageModel(other).fingerprint(), model_.fingerprint());
}

TEST_F(Model, ContinuesWhatItNeverSaw) {
  const std::vector<Token> strange = {kFirstByte + 200, kFirstByte + 201, kFirstByte + 202};
  EXPECT_LT(model_.next(strange, Sampling()), model_.vocabulary().size());
}

}  // namespace
}  // namespace serving
