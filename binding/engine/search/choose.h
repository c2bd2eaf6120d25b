// The most probable tokens of a row of logits, in one reading where this processor has kernels for it.
#pragma once

#include <vector>

#include "engine/search/search.h"

namespace whisper_hip {

constexpr int kMostChoices = 64;

struct RankedToken {
  Token token;
  float log_probability;
};

struct Ranking {
  std::vector<RankedToken> best; // best first; of equal ones the lower token
  float log_sum;                 // log(sum(exp(logits)))
};

// The `wanted` best tokens, of kMostChoices at most; fewer where fewer have a logit above -infinity. Throws
// Error(ERR_MODEL_CORRUPT) if a logit is NaN or infinity.
Ranking choose(const float* logits, int count, int wanted);

// Throws the same.
[[noreturn]] void fail_not_numbers();

} // namespace whisper_hip
