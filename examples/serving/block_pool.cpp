#include "examples/serving/block_pool.hpp"

#include "examples/serving/hash.hpp"
#include "spanwire/base/assert.hpp"

namespace serving {

std::vector<std::uint64_t> prefix_hashes(std::span<const Token> tokens) {
  std::vector<std::uint64_t> hashes;
  std::uint64_t before = 0;
  while (tokens.size() > kBlockTokens) {
    before = hash_of(tokens.first(kBlockTokens), before);
    hashes.push_back(before);
    tokens = tokens.subspan(kBlockTokens);
  }
  return hashes;
}

BlockPool::BlockPool(std::size_t blocks) : blocks_(blocks) {
  // From the back: block 0 is handed out first.
  for (std::size_t i = blocks; i > 0; --i) unused_.push_back(static_cast<Block>(i - 1));
}

void BlockPool::hold(Block block) {
  State& state = blocks_[block];
  if (state.holders++ == 0 && state.sealed) idle_.erase(state.idle);
}

std::vector<Block> BlockPool::match(std::span<const std::uint64_t> hashes) {
  std::vector<Block> held;
  for (const std::uint64_t hash : hashes) {
    const auto found = known_.find(hash);
    if (found == known_.end()) break;
    hold(found->second);
    held.push_back(found->second);
  }
  return held;
}

bool BlockPool::allocate(std::size_t count, std::vector<Block>& held) {
  if (count > available()) return false;
  for (; count > 0; --count) {
    if (unused_.empty()) {
      const Block oldest = idle_.front();
      idle_.pop_front();
      blocks_[oldest].sealed = false;
      known_.erase(blocks_[oldest].hash);
      unused_.push_back(oldest);
    }
    held.push_back(unused_.back());
    unused_.pop_back();
    ++blocks_[held.back()].holders;
  }
  return true;
}

void BlockPool::seal(Block block, std::uint64_t hash) {
  State& state = blocks_[block];
  SPANWIRE_ASSERT(state.holders > 0);
  if (state.sealed || !known_.emplace(hash, block).second) return;
  state.sealed = true;
  state.hash = hash;
}

void BlockPool::release(std::span<const Block> blocks) {
  // The end of a text is of less use to others than its beginning: it goes first.
  for (auto block = blocks.rbegin(); block != blocks.rend(); ++block) {
    State& state = blocks_[*block];
    SPANWIRE_ASSERT(state.holders > 0);
    if (--state.holders > 0) continue;
    if (state.sealed) {
      state.idle = idle_.insert(idle_.end(), *block);
    } else {
      unused_.push_back(*block);
    }
  }
}

}  // namespace serving
