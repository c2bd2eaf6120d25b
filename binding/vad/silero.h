// Silero v6, the network that tells speech from everything else: for each frame of 512 samples (32 ms at 16
// kHz), seen with the 64 samples before it, the probability that somebody speaks. Magnitude spectrogram, four
// convolutions with ReLU, an LSTM, one linear layer, sigmoid. One object per stream: it carries the LSTM's
// state.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "vad/silero_weights.h"
#include "vad/spectrum.h"

namespace whisper_hip {

class Silero {
 public:
  static constexpr size_t kFrameSamples = 512;

  explicit Silero(std::shared_ptr<const SileroWeights> weights);

  // Appends 16 kHz mono samples, and to `probabilities` one value for each frame that they complete. How the
  // samples are split over calls makes no difference. A sample that is no number counts as 0, and one beyond
  // 1000 as 1000: they would spoil the state for the rest of the stream.
  void push(const float* samples, size_t count, std::vector<float>& probabilities);
  // No samples follow: completes the last frame with silence.
  void finish(std::vector<float>& probabilities);

 private:
  static constexpr size_t kContext = 64;
  static constexpr size_t kReflected = 64; // samples after the frame, its mirror image
  static constexpr size_t kChannels = 128; // of the last convolution and the LSTM
  static constexpr size_t kBatch = 8;      // frames that share one pass over the weights

  // Activations of one frame, [time, channel]; the rows of zeros are the padding of the convolutions.
  struct Activations {
    float spectrum[6][Spectrum::kBins]; // first and last row zero
    float first[5][128];                // first row zero
    float second[2][64];
    float third[64];
    float fourth[kChannels];
    float gates[4 * kChannels];
  };

  void compute(size_t frames, std::vector<float>& probabilities);
  void convolve(size_t layer, std::vector<Column>& columns) const;

  std::shared_ptr<const SileroWeights> weights_;
  const Arithmetic& arithmetic_;
  Spectrum spectrum_;
  std::vector<float> samples_; // the context, then what follows it
  std::vector<Activations> activations_;
  float hidden_[kChannels] = {};
  float cell_[kChannels] = {};
};

} // namespace whisper_hip
