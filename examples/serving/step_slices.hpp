// The slices of one step of the engine: what it was for each request, on the scheduler's thread and
// on the ranks', and the step itself as one span with a link to each of them.
#pragma once

#include <vector>

#include "examples/serving/engine.hpp"

namespace serving {

// For Ranks::work(): with handles of their own from a request's first step on.
std::vector<RankShare> shares_of(const Step& step, std::size_t ranks);

// Once it is done, on the scheduler's thread.
void tell_step(const Step& step, const StepFacts& facts);

}  // namespace serving
