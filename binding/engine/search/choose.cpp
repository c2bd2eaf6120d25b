#include "engine/search/choose.h"

#include <algorithm>
#include <cfloat>
#include <cmath>

#include "backend/cpu_module.h"
#include "support/error.h"

namespace whisper_hip {

// A program without the CPU module, as of a test, does not have it.
__attribute__((weak)) const Kernels* cpu_kernels();

namespace {

// Kernels::select for processors without.
int select_portably(const float* logits, int count, int wanted, Token* tokens, float* log_sum) {
  const auto better = [logits](Token a, Token b) { return logits[a] > logits[b]; };
  int found = 0;
  float top = -INFINITY;
  for (Token token = 0; token < count; ++token) {
    const float logit = logits[token];
    if (!(logit <= FLT_MAX))
      return -1;
    top = std::max(top, logit);
    if (wanted == 0 || logit == -INFINITY || (found == wanted && !better(token, tokens[found - 1])))
      continue;
    Token* const end = tokens + (found < wanted ? found++ : found - 1);
    Token* const place = std::upper_bound(tokens, end, token, better);
    std::move_backward(place, end, end + 1);
    *place = token;
  }
  double sum = 0;
  for (int i = 0; i < count && top > -INFINITY; ++i)
    sum += std::exp(logits[i] - top);
  *log_sum = top + static_cast<float>(std::log(sum));
  return found;
}

} // namespace

void fail_not_numbers() {
  throw Error("ERR_MODEL_CORRUPT", "The model computes values that are not numbers: its weights are damaged");
}

Ranking choose(const float* logits, int count, int wanted) {
  const Kernels* kernels = cpu_kernels ? cpu_kernels() : nullptr;
  const auto select = kernels ? kernels->select : select_portably;
  Token tokens[kMostChoices];
  Ranking ranking;
  const int found = select(logits, count, std::min(wanted, kMostChoices), tokens, &ranking.log_sum);
  if (found < 0)
    fail_not_numbers();
  for (int i = 0; i < found; ++i)
    ranking.best.push_back({tokens[i], logits[tokens[i]] - ranking.log_sum});
  return ranking;
}

} // namespace whisper_hip
