// What whisper_unit.cpp puts before functions of whisper.cpp that take the exponential of 51,865 logits one
// by one, in code for any processor: a millisecond for every row and token. Overloads that fit better are
// called in their place.
#pragma once

#include <cmath>
#include <vector>

#include "backend/cpu_module.h"

namespace whisper_hip {

// The logarithms of the probabilities of logits, of which -infinity is that of a token that is not allowed.
// False where only the original can do it.
inline bool log_probabilities(const std::vector<float>& logits, int count, std::vector<float>& to) {
  const Kernels* kernels = cpu_kernels();
  float log_sum = 0.0f;
  if (kernels == nullptr || kernels->select(logits.data(), count, 0, nullptr, &log_sum) < 0 ||
      !std::isfinite(log_sum))
    return false;
  for (int i = 0; i < count; ++i)
    to[i] = logits[i] - log_sum;
  return true;
}

inline bool probabilities(int count, const std::vector<float>& log_probabilities, std::vector<float>& to) {
  const Kernels* kernels = cpu_kernels();
  if (kernels == nullptr)
    return false;
  kernels->exponentials(log_probabilities.data(), to.data(), count);
  return true;
}

} // namespace whisper_hip

static void whisper_compute_logprobs(const std::vector<float>& logits, const int count,
                                     std::vector<float>& to);
static void whisper_compute_logprobs(std::vector<float>& logits, const int count, std::vector<float>& to) {
  if (!whisper_hip::log_probabilities(logits, count, to))
    whisper_compute_logprobs(static_cast<const std::vector<float>&>(logits), count, to);
}

static void whisper_compute_probs(const std::vector<float>& logits, const int count,
                                  const std::vector<float>& log_probabilities, std::vector<float>& to);
static void whisper_compute_probs(std::vector<float>& logits, const int count,
                                  std::vector<float>& log_probabilities, std::vector<float>& to) {
  if (!whisper_hip::probabilities(count, log_probabilities, to))
    whisper_compute_probs(static_cast<const std::vector<float>&>(logits), count,
                          static_cast<const std::vector<float>&>(log_probabilities), to);
}
