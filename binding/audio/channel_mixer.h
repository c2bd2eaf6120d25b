// Interleaved channels to the one that is heard.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "support/warnings.h"

namespace whisper_hip {

// Either one channel, or the mean of all.
//
// The mean of a channel and its inverse is silence: a cable with swapped wires does that. Such a channel,
// told by its correlation with the loudest one over the last seconds, is turned over before it is added.
class ChannelMixer {
 public:
  static constexpr int kMix = -1;

  // `channel`: a number from 0, or kMix. `rate` in frames a second.
  ChannelMixer(size_t channels, int rate, int channel);

  // [frames, channels] interleaved to [frames].
  void mix(const float* samples, size_t frames, float* out);

  // What is to be told of the channels so far.
  std::vector<Warning> warnings() const;

 private:
  void mix_block(const float* samples, size_t frames, float* out);
  void observe(const float* samples, size_t frames);

  size_t channels_;
  int rate_;
  int channel_;
  size_t block_; // frames that are judged at once

  // Of the last seconds, decaying: energy of each channel, and its product with the loudest one.
  std::vector<double> energy_;
  std::vector<double> product_;
  size_t loudest_ = 0;
  std::vector<float> gain_;   // now
  std::vector<float> target_; // what it fades to

  uint64_t frames_ = 0;
  std::vector<uint64_t> inverted_; // frames in which a channel was turned over and not silent
  // Of two channels: frames with sound, with sound of one or unlike sound, and with sound in each.
  uint64_t audible_ = 0;
  uint64_t different_ = 0;
  uint64_t heard_[2] = {};
};

} // namespace whisper_hip
