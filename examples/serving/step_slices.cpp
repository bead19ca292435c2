#include "examples/serving/step_slices.hpp"

#include <array>

#include "spanwire/journey/batch.hpp"

namespace serving {

namespace journey = spanwire::journey;

namespace {

// Not the decoding of a further token.
bool is_prefill(const Step::Work& work) {
  return work.tokens > 1 || work.sequence->generated() == 0;
}

}  // namespace

std::vector<RankShare> shares_of(const Step& step, std::size_t ranks) {
  std::vector<RankShare> shares(ranks);
  for (const Step::Work& work : step.work) {
    Job& job = static_cast<Job&>(*work.sequence);
    if (!job.stages.journey().recording()) continue;
    for (std::size_t rank = 0; rank < ranks; ++rank) {
      journey::Request& mine = job.rank_journeys[rank];
      if (!mine.recording()) mine = job.stages.journey().copy_for_thread();
      (is_prefill(work) ? shares[rank].prefill : shares[rank].decode).push_back(mine);
    }
  }
  return shares;
}

void tell_step(const Step& step, const StepFacts& facts) {
  std::vector<journey::Request> all;
  std::vector<journey::Request> chunks;  // parts of a prompt that is not done yet
  std::vector<journey::Request> prefill;
  std::vector<journey::Request> decode;
  for (const Step::Work& work : step.work) {
    const Job& job = static_cast<const Job&>(*work.sequence);
    if (!job.stages.journey().recording()) continue;
    all.push_back(job.stages.journey());
    std::vector<journey::Request>& kind = !is_prefill(work) ? decode
                                          : job.complete()  ? prefill
                                                            : chunks;
    kind.push_back(job.stages.journey());
  }
  if (all.empty()) return;
  const std::array attributes = {
      spanwire::trace::Attribute{"batch.step", facts.number},
      spanwire::trace::Attribute{"batch.size", facts.sequences},
      spanwire::trace::Attribute{"batch.waiting", facts.waiting},
      spanwire::trace::Attribute{"batch.prefill_tokens", facts.prefill_tokens},
      spanwire::trace::Attribute{"kv.blocks_in_use", facts.blocks_in_use}};
  journey::Slice slice = {
      .name = {}, .start = facts.begin, .end = facts.end, .attributes = attributes};
  const auto tell_as = [&](std::vector<journey::Request>& requests, spanwire::trace::Key name,
                           journey::Level level) {
    slice.name = name;
    slice.level = level;
    journey::slice_batch(requests, std::span(&slice, 1));
  };
  tell_as(chunks, "chunked_prefill", journey::kEverything);
  tell_as(prefill, "prefill_forward", journey::kImportant);
  tell_as(decode, "decode_loop", journey::kEverything);
  slice.name = "batch";
  slice.level = journey::kUsual;
  journey::batch_span(slice, all);
}

}  // namespace serving
