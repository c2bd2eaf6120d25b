// Any integer sample rate to 16 kHz.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace whisper_hip {

// A polyphase windowed-sinc filter (Kaiser window; Crochiere and Rabiner, "Multirate Digital Signal
// Processing", 1983, and for the table between the phases J. O. Smith, "Digital Audio Resampling", 2002).
//
// Flat within 0.1 dB up to 0.9 of the lower Nyquist frequency, more than 100 dB down from that frequency on.
// Zero phase: output sample n lies at the time of input sample n * rate / 16000, and n input samples give
// ceil(n * 16000 / rate). The filter takes less than 2 MB, whatever the rate.
class Resampler {
 public:
  static constexpr int kOutputRate = 16000;

  // `rate` in 1000..768000 samples a second; 16000 needs no resampler.
  explicit Resampler(int rate);

  // Gives it the next `n` samples. They are kept until pull() has used them.
  void push(const float* samples, size_t n);
  // Tells it that no samples follow; only now can the last ones be pulled.
  void finish();

  // Writes up to `n` output samples and returns how many; fewer than `n` when more input is needed or at the
  // end.
  size_t pull(float* out, size_t n);

 private:
  float filter(const float* samples) const;

  uint64_t up_;         // output rate over the common divisor
  uint64_t down_;       // input rate over the common divisor
  size_t whole_step_;   // from one output to the next: whole input samples
  uint64_t phase_step_; // and the rest, in 1 / up_ of one
  size_t taps_;         // a multiple of the lanes of the dot product
  size_t phases_;
  bool interpolated_;
  // [phases_ + 1, taps_]: row p is the filter at p / phases_ of an input sample.
  std::vector<float> table_;

  std::vector<float> input_; // from taps_ / 2 - 1 samples before the current position on
  uint64_t phase_ = 0;       // of the next output, in 1 / up_ of an input sample
  size_t start_ = 0;         // of the next output's samples in input_
  uint64_t pushed_ = 0;
  uint64_t pulled_ = 0;
  uint64_t total_ = UINT64_MAX; // output samples, known at the end
};

} // namespace whisper_hip
