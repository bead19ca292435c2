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
constexpr std::array<double, 5> kDiscounts = {0, 0.02, 0.1, 0.2, 0.35};
constexpr std::size_t kOpeningTokens = 3;
constexpr std::size_t kOpeningCandidates = 4;
constexpr std::size_t kSentenceTokensMin = 6;
// What a text is about is in its longer words, and they are compared without their endings.
constexpr std::size_t kTopicLettersMin = 4;
constexpr std::size_t kStemLetters = 5;
constexpr std::array<std::string_view, 25> kSayNothing = {
    "about", "also", "canno", "could", "does",  "expla", "from", "happe", "have",
    "into",  "must", "pleas", "shoul", "some",  "tell",  "that", "them",  "they",
    "this",  "what", "when",  "where", "which", "will",  "with"};

bool is_letter(char c) noexcept { return std::isalpha(static_cast<unsigned char>(c)) != 0; }

// Calls `use` with the stem of each word of `text` that says what it is about.
template <class Use>
void for_each_topic(std::string_view text, const Use& use) {
  std::string stem;
  std::size_t letters = 0;
  for (std::size_t at = 0; at <= text.size(); ++at) {
    if (at < text.size() && is_letter(text[at])) {
      if (letters++ < kStemLetters)
        stem += static_cast<char>(std::tolower(static_cast<unsigned char>(text[at])));
      continue;
    }
    const bool says_nothing =
        std::find(kSayNothing.begin(), kSayNothing.end(), stem) != kSayNothing.end();
    if (letters >= kTopicLettersMin && !says_nothing) use(stem);
    stem.clear();
    letters = 0;
  }
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
  std::uint32_t begin = 0;
  for (std::uint32_t at = 0; at < corpus_.size(); ++at) {
    const bool is_end = corpus_[at] == kEndOfText;
    if (!is_end && !ends_sentence(vocabulary_.text(corpus_[at]))) continue;
    // A dot inside a name ends nothing.
    if (!is_end && corpus_[at + 1] != kEndOfText &&
        !vocabulary_.text(corpus_[at + 1]).starts_with(' ')) {
      continue;
    }
    if (at - begin >= kSentenceTokensMin) add_sentence(begin, at);
    begin = at + 1;
  }
  for (const Sentence& sentence : sentences_) {
    for (const std::uint32_t topic : sentence.topics) weights_[topic] += 1;
  }
  for (double& weight : weights_) weight = 1 / weight;
}

void LanguageModel::add_sentence(std::uint32_t begin, std::uint32_t end) {
  std::string text;
  for (std::uint32_t at = begin; at < end; ++at) text += vocabulary_.text(corpus_[at]);
  const std::size_t first = text.find_first_not_of(' ');
  if (first == std::string::npos || !is_letter(text[first])) return;
  Sentence sentence;
  sentence.begin = begin;
  for_each_topic(text, [&](const std::string& stem) {
    const auto id = static_cast<std::uint32_t>(topics_.size());
    const std::uint32_t topic = topics_.emplace(stem, id).first->second;
    if (topic == weights_.size()) weights_.push_back(0);
    if (std::find(sentence.topics.begin(), sentence.topics.end(), topic) == sentence.topics.end())
      sentence.topics.push_back(topic);
  });
  sentences_.push_back(std::move(sentence));
}

// What the last turn of the user is about.
std::vector<bool> LanguageModel::topics_of(std::span<const Token> prompt) const {
  std::size_t turn = prompt.size();
  while (turn > 0 && prompt[turn - 1] != kUserTurn) --turn;
  std::string text;
  for (const Token token : prompt.subspan(turn)) text += vocabulary_.text(token);
  std::vector<bool> wanted(weights_.size(), false);
  for_each_topic(text, [&](const std::string& stem) {
    if (const auto known = topics_.find(stem); known != topics_.end()) wanted[known->second] = true;
  });
  return wanted;
}

std::vector<Token> LanguageModel::opening(std::span<const Token> prompt,
                                          const Sampling& sampling) const {
  if (sentences_.empty()) return {next(prompt, sampling)};
  const std::vector<bool> wanted = topics_of(prompt);
  std::vector<std::pair<double, const Sentence*>> ranked;
  for (const Sentence& sentence : sentences_) {
    double relevance = 0;
    for (const std::uint32_t topic : sentence.topics) {
      if (wanted[topic]) relevance += weights_[topic];
    }
    ranked.emplace_back(relevance, &sentence);
  }
  std::stable_sort(ranked.begin(), ranked.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  const double best = ranked.front().first;
  std::size_t candidates = 1;
  // Nothing in common with the prompt: any sentence will do.
  while (candidates < ranked.size() && (best == 0 || candidates < kOpeningCandidates) &&
         ranked[candidates].first >= best / 2) {
    ++candidates;
  }
  const std::uint64_t random = mix(sampling.seed ^ hash_of(prompt));
  const Sentence& chosen = *ranked[sampling.temperature > 0 ? random % candidates : 0].second;
  const auto begin = corpus_.begin() + chosen.begin;
  return {begin, begin + kOpeningTokens};
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
