// Scheduler: which sequences an engine works on in its next step.  Continuous batching: sequences
// join and leave the running batch between steps, the oldest first.  Pure: no threads, no clock, no
// model.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <vector>

#include "examples/serving/block_pool.hpp"

namespace serving {

struct SchedulerOptions {
  std::size_t blocks = 256;              // of kBlockTokens tokens
  std::size_t batch_max = 32;            // sequences that run at once
  std::size_t prefill_tokens_max = 512;  // prompt tokens in one step, over all sequences
};

// One text that grows.  Owned by the engine, which derives from it; the scheduler's own while it is
// added.
struct Sequence {
  enum class Phase : std::uint8_t {
    waiting,  // for blocks and a place in the batch
    running,
  };

  std::vector<Token> tokens;  // the prompt, then what was generated
  std::size_t prompt_tokens = 0;
  // Another worker computes the prompt: this one takes part in no step before transferred().
  bool expects_state = false;

  Phase phase = Phase::waiting;
  std::size_t computed = 0;  // tokens whose state is in the blocks
  std::size_t cached = 0;    // of those, known before: at the latest admission
  std::uint32_t preemptions = 0;
  bool stalled = false;    // takes no part in steps: its reader is slow
  bool has_state = false;  // it was transferred before there were blocks for it
  std::vector<Block> blocks;
  std::vector<std::uint64_t> sealed;  // hashes of the blocks that others may share

  std::size_t generated() const noexcept { return tokens.size() - prompt_tokens; }
  // The next token is known.
  bool complete() const noexcept {
    return phase == Phase::running && !expects_state && computed == tokens.size();
  }
};

// What the next step does.
struct Step {
  struct Work {
    Sequence* sequence;
    std::size_t tokens;  // whose state is computed; 1 for a sequence that generates
  };
  std::vector<Work> work;
  std::vector<Sequence*> admitted;
  std::vector<Sequence*> preempted;
  std::size_t prefill_tokens = 0;    // over all of `work`
  std::size_t decode_sequences = 0;  // with one token each
};

// One thread at a time.
class Scheduler {
 public:
  explicit Scheduler(const SchedulerOptions& options);

  // Whether a text of that many tokens can run at all.
  bool fits(std::size_t tokens) const noexcept { return blocks_for(tokens) <= pool_.size(); }
  void add(Sequence& sequence);
  // Finished or given up; its blocks are free, their content stays known.
  void remove(Sequence& sequence);
  // The state of the prompt has come.
  void transferred(Sequence& sequence);

  // Makes room for running sequences (the youngest are preempted if there is none), then admits
  // waiting ones.  An empty `work` means that there is nothing to do until something changes.
  Step plan();
  // The step was done: the state of its tokens is in the blocks.
  void done(const Step& step);

  std::span<Sequence* const> running() const noexcept { return running_; }
  const std::deque<Sequence*>& waiting() const noexcept { return waiting_; }
  const BlockPool& pool() const noexcept { return pool_; }

 private:
  bool make_room(Sequence& sequence, Step& step);
  void preempt(Sequence& sequence, Step& step);
  bool admit(Sequence& sequence);
  void seal(Sequence& sequence);
  void give_work(Step& step);

  SchedulerOptions options_;
  BlockPool pool_;
  std::deque<Sequence*> waiting_;
  std::vector<Sequence*> running_;  // by age
};

}  // namespace serving
