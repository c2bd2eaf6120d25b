// The best tokens of a row of logits and the logarithm of the sum of all, in one reading. Included by
// kernels_*.cpp.
#pragma once

#include <cmath>
#include <cstring>

#include "cpu/vector_math.h"

namespace whisper_hip {
namespace {

constexpr int kBest = 64; // most tokens that can be asked for

// A list of the best so far, best first; of equal logits the lower token comes first.
struct Best {
  int wanted;
  int count = 0;
  float logits[kBest];
  int32_t tokens[kBest];

  float bar() const { return wanted == 0 ? INFINITY : count < wanted ? -INFINITY : logits[count - 1]; }

  void offer(float logit, int32_t token) {
    if (!(logit > bar()))
      return;
    int place = count < wanted ? count++ : count - 1;
    for (; place > 0 && logits[place - 1] < logit; --place) {
      logits[place] = logits[place - 1];
      tokens[place] = tokens[place - 1];
    }
    logits[place] = logit;
    tokens[place] = token;
  }
};

// The logits of a block are summed relative to the largest so far, and what was summed before is brought
// down when that grows. -infinity stands for a token that is not allowed.
inline int select(const float* logits, int count, int wanted, int32_t* tokens, float* log_sum) {
  constexpr int kBlock = 256;
  Best best;
  best.wanted = wanted < kBest ? wanted : kBest;
  float top = -INFINITY;
  Lanes sum = zero();
  Lanes check = zero(); // no number where a logit is none
  for (int first = 0; first < count; first += kBlock) {
    const int size = count - first < kBlock ? count - first : kBlock;
    float padded[kBlock];
    const float* block = logits + first;
    if (size < kBlock) {
      std::memcpy(padded, block, static_cast<size_t>(size) * sizeof(float));
      for (int i = size; i < kBlock; ++i)
        padded[i] = -INFINITY;
      block = padded;
    }
    Lanes most = load(block);
    for (int i = 0; i < kBlock; i += 16) {
      const Lanes x = load(block + i);
      most = max(most, x);
      check = check + max(broadcast(-1.0f), min(broadcast(1.0f), x));
    }
    const float highest = largest(most);
    if (highest > top) {
      if (top != -INFINITY)
        sum = sum * exponential(broadcast(top - highest));
      top = highest;
    }
    if (top != -INFINITY) {
      for (int i = 0; i < kBlock; i += 16)
        sum = sum + exponential(load(block + i) - broadcast(top));
    }
    if (highest > best.bar()) {
      for (int i = 0; i < size; ++i)
        best.offer(block[i], first + i);
    }
  }
  if (std::isnan(sum_of(check)) || top == INFINITY)
    return -1;
  for (int i = 0; i < best.count; ++i)
    tokens[i] = best.tokens[i];
  *log_sum = top + std::log(sum_of(sum));
  return best.count;
}

} // namespace
} // namespace whisper_hip
