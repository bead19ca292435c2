#include "examples/serving/scheduler.hpp"

#include <algorithm>

#include "examples/serving/hash.hpp"
#include "spanwire/base/assert.hpp"

namespace serving {

Scheduler::Scheduler(const SchedulerOptions& options) : options_(options), pool_(options.blocks) {}

void Scheduler::add(Sequence& sequence) {
  SPANWIRE_ASSERT(fits(sequence.tokens.size()));
  waiting_.push_back(&sequence);
}

void Scheduler::remove(Sequence& sequence) {
  if (sequence.phase == Sequence::Phase::running) {
    std::erase(running_, &sequence);
    pool_.release(sequence.blocks);
    sequence.blocks.clear();
  } else {
    std::erase(waiting_, &sequence);
  }
}

void Scheduler::transferred(Sequence& sequence) {
  sequence.expects_state = false;
  sequence.has_state = sequence.phase != Sequence::Phase::running;
  if (sequence.has_state) return;
  sequence.computed = sequence.prompt_tokens;
  seal(sequence);
}

Step Scheduler::plan() {
  Step step;
  // A copy: preempting takes sequences out of the batch.
  const std::vector<Sequence*> batch = running_;
  for (Sequence* sequence : batch) {
    if (sequence->phase == Sequence::Phase::running && !sequence->stalled)
      make_room(*sequence, step);
  }
  // Who was preempted just now would be the first to come back, for nothing.
  while (step.preempted.empty() && !waiting_.empty() && running_.size() < options_.batch_max) {
    Sequence& next = *waiting_.front();
    if (!admit(next)) break;
    waiting_.pop_front();
    running_.push_back(&next);
    step.admitted.push_back(&next);
  }
  give_work(step);
  return step;
}

bool Scheduler::make_room(Sequence& sequence, Step& step) {
  for (;;) {
    const std::size_t needed = blocks_for(sequence.tokens.size());
    if (sequence.blocks.size() >= needed) return true;
    if (pool_.allocate(needed - sequence.blocks.size(), sequence.blocks)) return true;
    Sequence& youngest = *running_.back();
    preempt(youngest, step);
    if (&youngest == &sequence) return false;
  }
}

void Scheduler::preempt(Sequence& sequence, Step& step) {
  std::erase(running_, &sequence);
  pool_.release(sequence.blocks);
  sequence.blocks.clear();
  sequence.sealed.clear();
  sequence.computed = 0;
  sequence.phase = Sequence::Phase::waiting;
  ++sequence.preemptions;
  waiting_.push_front(&sequence);
  step.preempted.push_back(&sequence);
}

bool Scheduler::admit(Sequence& sequence) {
  std::vector<Block> held = pool_.match(prefix_hashes(sequence.tokens));
  const std::size_t cached = held.size() * kBlockTokens;
  if (!pool_.allocate(blocks_for(sequence.tokens.size()) - held.size(), held)) {
    pool_.release(held);
    return false;
  }
  sequence.blocks = std::move(held);
  sequence.phase = Sequence::Phase::running;
  sequence.cached = cached;
  sequence.computed = sequence.has_state ? sequence.prompt_tokens : cached;
  sequence.has_state = false;
  seal(sequence);
  return true;
}

void Scheduler::give_work(Step& step) {
  std::size_t budget = options_.prefill_tokens_max;
  for (Sequence* sequence : running_) {
    if (sequence->expects_state || sequence->stalled) continue;
    const std::size_t left = sequence->tokens.size() - sequence->computed;
    if (left == 0) continue;
    if (left == 1 && sequence->generated() > 0) {
      step.work.push_back({sequence, 1});
      ++step.decode_sequences;
    } else if (budget > 0) {
      const std::size_t tokens = std::min(left, budget);
      step.work.push_back({sequence, tokens});
      step.prefill_tokens += tokens;
      budget -= tokens;
    }
  }
}

void Scheduler::done(const Step& step) {
  for (const Step::Work& work : step.work) {
    work.sequence->computed += work.tokens;
    seal(*work.sequence);
  }
}

void Scheduler::seal(Sequence& sequence) {
  std::vector<std::uint64_t>& sealed = sequence.sealed;
  while ((sealed.size() + 1) * kBlockTokens <= sequence.computed) {
    const std::span<const Token> block(sequence.tokens.data() + sealed.size() * kBlockTokens,
                                       kBlockTokens);
    sealed.push_back(hash_of(block, sealed.empty() ? 0 : sealed.back()));
    pool_.seal(sequence.blocks[sealed.size() - 1], sealed.back());
  }
}

}  // namespace serving
