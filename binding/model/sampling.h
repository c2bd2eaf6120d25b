// What whisper_unit.cpp puts in the place of std::discrete_distribution, with which whisper.cpp draws tokens.
//
// Setting up the standard one copies all 51,865 probabilities as doubles, normalises and sums them up, for
// every sequence and every token: half of the time that sampling takes. This one adds them up in blocks, in
// one pass that becomes vector code, and draws by looking through the blocks.
#pragma once

#include <algorithm>
#include <array>
#include <random>

namespace whisper_hip {

// Draws an index with the probability of its weight. `Integer` mirrors the parameter of the standard
// template. Refers to the weights (contiguous, not negative): they must outlive it.
template <typename Integer = int> class TokenDistribution {
 public:
  template <typename Iterator>
  TokenDistribution(Iterator first, Iterator last)
      : weights_(&*first), count_(static_cast<int>(last - first)) {
    for (int block = 0; block * kBlock < count_ && block < kBlocks; ++block) {
      sums_[block] = sum_of(block);
      total_ += sums_[block];
    }
  }

  template <typename Generator> Integer operator()(Generator& generator) const {
    double rest = std::uniform_real_distribution<double>(0.0, total_)(generator);
    int block = 0;
    while ((block + 1) * kBlock < count_ && rest >= sums_[block])
      rest -= sums_[block++];
    int drawn = block * kBlock;
    const int end = std::min(count_, drawn + kBlock);
    for (int i = drawn; i < end; ++i) {
      if (weights_[i] <= 0.0f)
        continue;
      drawn = i;
      rest -= weights_[i];
      if (rest < 0.0)
        break;
    }
    return drawn;
  }

 private:
  static constexpr int kBlock = 512;
  static constexpr int kBlocks = 128; // more than any vocabulary of Whisper needs

  double sum_of(int block) const {
    const int first = block * kBlock;
    const int end = std::min(count_, first + kBlock);
    std::array<float, 8> lanes = {};
    int i = first;
    for (; i + 8 <= end; i += 8) {
      for (int lane = 0; lane < 8; ++lane)
        lanes[lane] += weights_[i + lane];
    }
    double sum = 0.0;
    for (float lane : lanes)
      sum += lane;
    for (; i < end; ++i)
      sum += weights_[i];
    return sum;
  }

  const float* weights_;
  int count_;
  double total_ = 0.0;
  std::array<double, kBlocks> sums_ = {};
};

} // namespace whisper_hip

// whisper.cpp names them with `std::` before.
namespace std {
using whisper_hip::TokenDistribution;

template <typename Iterator, typename Compare> void sort_nothing(Iterator, Iterator, Iterator, Compare) {}
} // namespace std
