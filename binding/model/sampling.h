// What whisper_unit.cpp puts in the place of std::discrete_distribution, which whisper.cpp samples with.
//
// whisper.cpp (1.9.1) draws the continuations of a beam at random (std::discrete_distribution), which costs
// two passes in double precision and an allocation of 400 kB per beam and token, and makes the result depend
// on a generator. A beam search takes the most probable continuations (OpenAI's decoding.py,
// BeamSearchDecoder), and finding those is one pass.
#pragma once

#include <algorithm>
#include <array>
#include <random>

namespace whisper_hip {

// Whether the current thread decodes with a beam: then the distribution below gives the best tokens in order.
inline thread_local bool beam_search = false;

// Takes the place of std::discrete_distribution. `Integer` is unused: it mirrors that template.
template <typename Integer = int> class TokenDistribution {
 public:
  template <typename Iterator>
  TokenDistribution(Iterator first, Iterator last)
      : weights_(&*first), count_(static_cast<int>(last - first)) {}

  // In a beam search: the most probable token, with the next call the second most probable, and so on. Else:
  // a token drawn with its probability.
  Integer operator()(std::mt19937& generator) { return beam_search ? next_best() : draw(generator); }

 private:
  static constexpr int kMost = 8; // WHISPER_MAX_DECODERS

  Integer next_best() {
    if (given_ == 0)
      find_best();
    return best_[std::min(given_++, kMost - 1)];
  }

  // Keeps the best few in order; almost every token fails the first comparison.
  void find_best() {
    std::array<float, kMost> values;
    values.fill(-1.0f);
    best_.fill(0);
    for (int i = 0; i < count_; ++i) {
      const float value = weights_[i];
      if (value <= values[kMost - 1])
        continue;
      int at = kMost - 1;
      for (; at > 0 && values[at - 1] < value; --at) {
        values[at] = values[at - 1];
        best_[at] = best_[at - 1];
      }
      values[at] = value;
      best_[at] = i;
    }
  }

  Integer draw(std::mt19937& generator) const {
    double sum = 0.0;
    for (int i = 0; i < count_; ++i)
      sum += weights_[i];
    double rest = std::uniform_real_distribution<double>(0.0, sum)(generator);
    int last = 0;
    for (int i = 0; i < count_; ++i) {
      if (weights_[i] <= 0.0f)
        continue;
      last = i;
      rest -= weights_[i];
      if (rest < 0.0)
        break;
    }
    return last;
  }

  const float* weights_;
  int count_;
  int given_ = 0;
  std::array<int, kMost> best_;
};

} // namespace whisper_hip

// whisper.cpp names them with `std::` before.
namespace std {
using whisper_hip::TokenDistribution;

template <typename Iterator, typename Compare> void sort_nothing(Iterator, Iterator, Iterator, Compare) {}
} // namespace std
