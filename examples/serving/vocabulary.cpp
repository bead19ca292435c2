#include "examples/serving/vocabulary.hpp"

namespace serving {
namespace {

bool in_word(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '\'' ||
         (static_cast<unsigned char>(c) & 0x80) != 0;
}

// Takes the next piece off the front of `text`, which is not empty.
std::string_view next_piece(std::string_view& text) noexcept {
  std::size_t end = text[0] == ' ' && text.size() > 1 && text[1] != ' ' ? 1 : 0;
  if (in_word(text[end])) {
    while (end < text.size() && in_word(text[end])) ++end;
  } else {
    ++end;
  }
  const std::string_view piece = text.substr(0, end);
  text.remove_prefix(end);
  return piece;
}

}  // namespace

Vocabulary::Vocabulary(std::span<const std::string> paragraphs) : texts_(kFirstByte) {
  for (unsigned byte = 0; byte < 256; ++byte)
    texts_.emplace_back(1, static_cast<char>(static_cast<unsigned char>(byte)));
  for (const std::string& paragraph : paragraphs) {
    for (std::string_view rest = paragraph; !rest.empty();) {
      const std::string piece(next_piece(rest));
      if (tokens_.emplace(piece, static_cast<Token>(texts_.size())).second) texts_.push_back(piece);
    }
  }
}

std::vector<Token> Vocabulary::encode(std::string_view text) const {
  std::vector<Token> tokens;
  tokens.reserve(text.size() / 4 + 1);
  while (!text.empty()) {
    const std::string_view piece = next_piece(text);
    if (const auto known = tokens_.find(std::string(piece)); known != tokens_.end()) {
      tokens.push_back(known->second);
    } else {
      for (const char c : piece) tokens.push_back(kFirstByte + static_cast<unsigned char>(c));
    }
  }
  return tokens;
}

std::string_view Vocabulary::text(Token token) const noexcept {
  return token < texts_.size() ? std::string_view(texts_[token]) : std::string_view();
}

}  // namespace serving
