// Which of two channels is the louder one, and when: who speaks, where each speaker has a channel.
#pragma once

#include <cstddef>
#include <vector>

namespace whisper_hip {

class SideLoudness {
 public:
  // `rate` in frames a second.
  explicit SideLoudness(int rate);

  // Interleaved samples of the first two channels of `channels`; fewer are not looked at.
  void push(const float* samples, size_t frames, size_t channels);

  // In [start, end) in seconds: 0 for the first channel, 1 for the second, -1 where neither is clearly
  // louder.
  int louder(double start, double end) const;

 private:
  double sum(const std::vector<double>& energies, double start, double end) const;

  double frames_per_bin_; // of 10 ms
  size_t frames_ = 0;
  std::vector<double> sides_[2]; // energy in each bin
};

} // namespace whisper_hip
