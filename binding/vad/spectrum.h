// The spectrogram that the voice activity network sees: magnitudes of a 256-point STFT with a periodic Hann
// window and hop 128. The network's weights hold the same as a convolution (`stft.forward_basis_buffer`,
// equal to 6e-8), which would cost forty times as much.
#pragma once

namespace whisper_hip {

class Spectrum {
 public:
  static constexpr int kFftSize = 256;
  static constexpr int kHop = 128;
  static constexpr int kBins = kFftSize / 2 + 1;
  static constexpr int kFrames = 4; // transformed side by side

  Spectrum();

  // samples: kFftSize + (kFrames - 1) * kHop of them. out: [kFrames, kBins].
  void magnitudes(const float* samples, float* out) const;

 private:
  static constexpr int kHalf = kFftSize / 2;

  float window_[kFftSize];
  float cosine_[kFftSize]; // of 2 pi i / kFftSize
  float sine_[kFftSize];
  int reversed_[kHalf]; // the bits of the index
};

} // namespace whisper_hip
