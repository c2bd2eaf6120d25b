#include "audio/side_loudness.h"

#include <algorithm>

namespace whisper_hip {

namespace {

constexpr double kBinsPerSecond = 100;
// How much louder a side has to be (whisper.cpp's examples/cli).
constexpr double kClearly = 1.1;

} // namespace

SideLoudness::SideLoudness(int rate) : frames_per_bin_(rate / kBinsPerSecond) {}

void SideLoudness::push(const float* samples, size_t frames, size_t channels) {
  if (channels < 2)
    return;
  for (size_t i = 0; i < frames; ++i, ++frames_) {
    const auto bin = static_cast<size_t>(static_cast<double>(frames_) / frames_per_bin_);
    for (size_t side = 0; side < 2; ++side) {
      if (sides_[side].size() <= bin)
        sides_[side].resize(bin + 1);
      const double sample = samples[i * channels + side];
      sides_[side][bin] += sample * sample;
    }
  }
}

double SideLoudness::sum(const std::vector<double>& energies, double start, double end) const {
  const auto bin = [&](double seconds) {
    return std::min(static_cast<size_t>(std::max(seconds, 0.0) * kBinsPerSecond + 0.5), energies.size());
  };
  double sum = 0;
  for (size_t i = bin(start); i < bin(end); ++i)
    sum += energies[i];
  return sum;
}

int SideLoudness::louder(double start, double end) const {
  const double first = sum(sides_[0], start, end), second = sum(sides_[1], start, end);
  return first > kClearly * second ? 0 : second > kClearly * first ? 1 : -1;
}

} // namespace whisper_hip
