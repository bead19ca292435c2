#include "examples/serving/language_model.hpp"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <utility>

#include "examples/serving/corpus.hpp"
#include "examples/serving/hash.hpp"

namespace serving {
namespace {

// The share of each count that is kept for tokens which were not seen here (absolute discounting),
// by the number of tokens looked back at.
constexpr std::array<double, 4> kDiscounts = {0, 0.02, 0.1, 0.25};
constexpr std::size_t kOpeningTokens = 2;
constexpr std::size_t kOpeningCandidates = 4;
constexpr std::size_t kSentenceTokensMin = 6;
constexpr std::size_t kTopicLettersMin = 4;  // shorter words say little about what a text is about

// A word as it is compared: no blank before it, lower case; empty for signs.
std::string word_text(std::string_view piece) {
  std::string word;
  for (const char c : piece) {
    if (c == ' ') continue;
    word += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  const bool is_word = !word.empty() && std::isalpha(static_cast<unsigned char>(word[0])) != 0;
  return is_word ? word : std::string();
}

bool ends_sentence(std::string_view piece) noexcept {
  return piece == "." || piece == "!" || piece == "?";
}

}  // namespace

LanguageModel::LanguageModel(std::span<const std::string> paragraphs) : vocabulary_(paragraphs) {
  for (const std::string& paragraph : paragraphs) {
    const std::size_t begin = corpus_.size();
    corpus_.push_back(kEndOfText);
    const std::vector<Token> tokens = vocabulary_.encode(paragraph);
    corpus_.insert(corpus_.end(), tokens.begin(), tokens.end());
    corpus_.push_back(kEndOfText);
    learn(std::span<const Token>(corpus_).subspan(begin));
  }
  fingerprint_ = hash_of(corpus_, vocabulary_.size());
  index_sentences();
}

void LanguageModel::learn(std::span<const Token> paragraph) {
  for (std::size_t at = 1; at < paragraph.size(); ++at) {
    for (std::size_t order = 0; order <= std::min(kOrderMax, at); ++order) {
      Followers& followers = followers_[order][hash_of(paragraph.subspan(at - order, order))];
      const auto known =
          std::find_if(followers.choices.begin(), followers.choices.end(),
                       [&](const Choice& choice) { return choice.token == paragraph[at]; });
      if (known != followers.choices.end()) {
        ++known->count;
      } else {
        followers.choices.push_back({paragraph[at], 1});
      }
      ++followers.total;
    }
  }
}

void LanguageModel::index_sentences() {
  std::unordered_map<std::string, std::uint32_t> ids;
  words_.resize(vocabulary_.size());
  for (Token token = kFirstWord; token < vocabulary_.size(); ++token) {
    const std::string word = word_text(vocabulary_.text(token));
    if (word.empty()) continue;
    words_[token] = ids.emplace(word, static_cast<std::uint32_t>(ids.size() + 1)).first->second;
  }
  weights_.assign(ids.size() + 1, 0);
  std::uint32_t begin = 0;
  for (std::uint32_t at = 0; at < corpus_.size(); ++at) {
    if (corpus_[at] != kEndOfText && !ends_sentence(vocabulary_.text(corpus_[at]))) continue;
    // A dot inside a name ends nothing.
    if (corpus_[at] != kEndOfText && corpus_[at + 1] != kEndOfText &&
        !vocabulary_.text(corpus_[at + 1]).starts_with(' ')) {
      continue;
    }
    if (at - begin >= kSentenceTokensMin && word_of(corpus_[begin]) != 0)
      sentences_.push_back({begin, at});
    begin = at + 1;
  }
  for (const Token token : corpus_) weights_[word_of(token)] += 1;
  for (double& weight : weights_) weight = weight > 0 ? 1 / weight : 0;
  for (const auto& [word, id] : ids) {
    if (word.size() < kTopicLettersMin) weights_[id] = 0;
  }
  weights_[0] = 0;
}

std::uint32_t LanguageModel::word_of(Token token) const noexcept {
  return token < words_.size() ? words_[token] : 0;
}

double LanguageModel::relevance(const Sentence& sentence, const std::vector<bool>& wanted) const {
  double sum = 0;
  for (std::uint32_t at = sentence.begin; at < sentence.end; ++at) {
    const std::uint32_t word = word_of(corpus_[at]);
    if (wanted[word]) sum += weights_[word];
  }
  return sum;
}

std::vector<Token> LanguageModel::opening(std::span<const Token> prompt,
                                          const Sampling& sampling) const {
  std::vector<bool> wanted(weights_.size(), false);
  for (std::size_t at = prompt.size(); at > 0 && prompt[at - 1] != kUserTurn; --at)
    wanted[word_of(prompt[at - 1])] = true;
  wanted[0] = false;
  std::vector<std::pair<double, const Sentence*>> ranked;
  for (const Sentence& sentence : sentences_)
    ranked.emplace_back(relevance(sentence, wanted), &sentence);
  if (ranked.empty()) return {next(prompt, sampling)};
  std::stable_sort(ranked.begin(), ranked.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  const double best = ranked.front().first;
  std::size_t candidates = 1;
  // Nothing in common with the prompt: any sentence will do.
  while (candidates < ranked.size() && (best == 0 || candidates < kOpeningCandidates) &&
         ranked[candidates].first >= best / 4) {
    ++candidates;
  }
  const std::uint64_t random = mix(sampling.seed ^ hash_of(prompt));
  const Sentence& chosen = *ranked[sampling.temperature > 0 ? random % candidates : 0].second;
  std::vector<Token> tokens(corpus_.begin() + chosen.begin,
                            corpus_.begin() + chosen.begin + kOpeningTokens);
  const std::string_view first = vocabulary_.text(tokens[0]);
  // An answer does not begin with a blank, if the word is known without one.
  if (first.starts_with(' ')) {
    const std::vector<Token> bare = vocabulary_.encode(first.substr(1));
    if (bare.size() == 1) tokens[0] = bare[0];
  }
  return tokens;
}

Token LanguageModel::next(std::span<const Token> tokens, const Sampling& sampling) const {
  std::uint64_t random = mix(sampling.seed ^ mix(tokens.size()) ^ hash_of(tokens.last(1)));
  for (std::size_t order = std::min(kOrderMax, tokens.size()); order > 0; --order) {
    const auto found = followers_[order].find(hash_of(tokens.last(order)));
    if (found == followers_[order].end()) continue;
    const Followers& followers = found->second;
    const double discount = kDiscounts[order];
    const double kept = discount * static_cast<double>(followers.choices.size()) /
                        static_cast<double>(followers.total);
    random = mix(random);
    if (sampling.temperature > 0 && chance_of(random) < kept) continue;  // ask those who know less
    random = mix(random);
    return draw(followers, discount, sampling, chance_of(random));
  }
  const auto any = followers_[0].find(hash_of({}));
  return any != followers_[0].end() ? draw(any->second, 0, sampling, chance_of(mix(random)))
                                    : kEndOfText;
}

Token LanguageModel::draw(const Followers& followers, double discount, const Sampling& sampling,
                          double chance) const {
  std::vector<std::pair<double, Token>> weighted;
  double sum = 0;
  for (const Choice& choice : followers.choices) {
    const double weight = (choice.count - discount) / followers.total;
    weighted.emplace_back(
        sampling.temperature > 0 ? std::pow(weight, 1 / sampling.temperature) : weight,
        choice.token);
    sum += weighted.back().first;
  }
  std::stable_sort(weighted.begin(), weighted.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  if (sampling.temperature <= 0) return weighted.front().second;
  double left = chance * sum * sampling.top_p;
  for (const auto& [weight, token] : weighted) {
    left -= weight;
    if (left < 0) return token;
  }
  return weighted.front().second;
}

spanwire::Result<std::shared_ptr<const LanguageModel>> train_on(const std::string& path) {
  SPANWIRE_TRY(const std::vector<std::string> paragraphs, read_corpus(path));
  return std::make_shared<const LanguageModel>(paragraphs);
}

}  // namespace serving
