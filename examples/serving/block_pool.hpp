// BlockPool: the finite memory in which an engine keeps the state of tokens, in blocks of equal
// size, and what of it is known already (prefix caching).
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <span>
#include <unordered_map>
#include <vector>

#include "examples/serving/vocabulary.hpp"

namespace serving {

inline constexpr std::size_t kBlockTokens = 16;

using Block = std::uint32_t;

// Blocks that `tokens` tokens need.
constexpr std::size_t blocks_for(std::size_t tokens) noexcept {
  return (tokens + kBlockTokens - 1) / kBlockTokens;
}

// One hash for each full block, of it and all before it: equal hashes mean equal beginnings.  The
// block with the last token is left out, because that one has to be computed in any case.
std::vector<std::uint64_t> prefix_hashes(std::span<const Token> tokens);

// One thread at a time.  Every block that was handed out is given back with release() once for each
// time it was handed out.  A sealed block that nobody holds keeps its content until its memory is
// needed, the one that was given back first going first.
class BlockPool {
 public:
  explicit BlockPool(std::size_t blocks);

  // The longest known beginning, held for the caller.
  std::vector<Block> match(std::span<const std::uint64_t> hashes);
  // Appends `count` blocks to `held`; none and false if there are too few.
  bool allocate(std::size_t count, std::vector<Block>& held);
  // The block is full and its content is what `hash` stands for: others may share it.  Does nothing
  // for a hash that is known already.
  void seal(Block block, std::uint64_t hash);
  void release(std::span<const Block> blocks);

  std::size_t size() const noexcept { return blocks_.size(); }
  // Could be allocated now.
  std::size_t available() const noexcept { return unused_.size() + idle_.size(); }
  std::size_t in_use() const noexcept { return size() - available(); }

 private:
  struct State {
    std::uint32_t holders = 0;
    bool sealed = false;
    std::uint64_t hash = 0;
    std::list<Block>::iterator idle;  // valid while sealed and without holders
  };
  void hold(Block block);

  std::vector<State> blocks_;
  std::vector<Block> unused_;
  std::list<Block> idle_;  // sealed, without holders; the first goes first
  std::unordered_map<std::uint64_t, Block> known_;
};

}  // namespace serving
