// Vocabulary: text to tokens and back.  A token is a word or a sign with the blank before it, as in
// " worker"; what the corpus does not have is spelled in bytes, so that any text has tokens.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace serving {

using Token = std::uint32_t;

// Tokens that are no text.
inline constexpr Token kEndOfText = 0;
inline constexpr Token kSystemTurn = 1;
inline constexpr Token kUserTurn = 2;
inline constexpr Token kAssistantTurn = 3;
inline constexpr Token kFirstByte = 4;
inline constexpr Token kFirstWord = kFirstByte + 256;

// Immutable once made; safe from any thread then.
class Vocabulary {
 public:
  // The words and signs of `paragraphs`, in the order of their first appearance: equal texts give
  // equal vocabularies, in every process.
  explicit Vocabulary(std::span<const std::string> paragraphs);

  // Never fails; tokens that are no text do not come out of it.
  std::vector<Token> encode(std::string_view text) const;
  // Nothing for a token that is no text or unknown.  Valid as long as the vocabulary.
  std::string_view text(Token token) const noexcept;
  std::size_t size() const noexcept { return texts_.size(); }

 private:
  std::vector<std::string> texts_;
  std::unordered_map<std::string, Token> tokens_;
};

}  // namespace serving
