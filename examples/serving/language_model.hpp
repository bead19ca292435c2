// LanguageModel: a back-off n-gram model, small and real: learns a corpus in milliseconds,
// continues any text with what the corpus might have said next.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "examples/serving/vocabulary.hpp"
#include "spanwire/base/result.hpp"

namespace serving {

// How the next token is drawn.  A value.
struct Sampling {
  double temperature = 0.7;  // 0: always the likeliest
  double top_p = 1;          // only the likeliest that have this share together
  std::uint64_t seed = 0;
  bool ignore_eos = false;  // goes on where the text ends, until something else ends it
};

// Immutable once made; safe from any thread then.
class LanguageModel {
 public:
  explicit LanguageModel(std::span<const std::string> paragraphs);

  const Vocabulary& vocabulary() const noexcept { return vocabulary_; }
  // Equal in processes that learned the same corpus.
  std::uint64_t fingerprint() const noexcept { return fingerprint_; }

  // What the pass over a prompt finds out: the first tokens of the answer, taken from a sentence
  // about what the last turn of the user speaks of.  At least one token.
  std::vector<Token> opening(std::span<const Token> prompt, const Sampling& sampling) const;
  // The next token after `tokens`; kEndOfText where the text ends.  The same arguments give the
  // same token, so that work which was thrown away can be done again.
  Token next(std::span<const Token> tokens, const Sampling& sampling) const;

 private:
  struct Choice {
    Token token;
    std::uint32_t count;
  };
  struct Followers {
    std::vector<Choice> choices;
    std::uint32_t total = 0;
  };
  struct Sentence {
    std::uint32_t begin = 0;  // in the corpus
    std::vector<std::uint32_t> topics;
  };
  static constexpr std::size_t kOrderMax = 4;  // tokens that the next one depends on

  void learn(std::span<const Token> paragraph);
  void index_sentences();
  void add_sentence(std::uint32_t begin, std::uint32_t end);
  std::vector<bool> topics_of(std::span<const Token> prompt) const;
  Token draw(const Followers& followers, double discount, const Sampling& sampling,
             double chance) const;

  Vocabulary vocabulary_;
  std::uint64_t fingerprint_ = 0;
  std::vector<Token> corpus_;
  std::vector<Sentence> sentences_;
  std::unordered_map<std::string, std::uint32_t> topics_;  // by the stem of a word
  std::vector<double> weights_;                            // by topic: rarer is heavier
  // By how many tokens they depend on; keys are hashes of those.
  std::array<std::unordered_map<std::uint64_t, Followers>, kOrderMax + 1> followers_;
};

// Reads a corpus and learns it.
spanwire::Result<std::shared_ptr<const LanguageModel>> train_on(const std::string& path);

}  // namespace serving
