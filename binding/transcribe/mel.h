// Log-mel spectrogram of a stream of samples, as OpenAI's whisper/audio.py defines it: 400-point STFT with a
// periodic Hann window, hop 160, power, mel filter bank, log10 clamped to 1e-10; then clamped to 8 below the
// maximum of the whole audio and scaled by (x + 4) / 4. The samples are not kept: a frame costs n_mels
// floats.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

namespace whisper_hip {

// Of 10 ms, in a window: the 30 s that Whisper hears at a time.
constexpr int kWindowFrames = 3000;

class LogMel {
 public:
  static constexpr int kSampleRate = 16000;
  static constexpr int kHop = 160; // one frame per 10 ms
  static constexpr int kFftSize = 400;
  static constexpr int kFrequencyBins = kFftSize / 2 + 1;

  // `filters`: [n_mels, 201] row-major.
  LogMel(const std::vector<float>& filters, int n_mels);
  ~LogMel();
  LogMel(LogMel&&) noexcept;

  // Appends 16 kHz mono samples.
  void push(const float* samples, size_t count);
  // No samples follow: computes the frames that reach beyond the end, which is followed by silence.
  void finish();

  size_t samples() const { return total_samples_; }
  // Frames of the audio itself: where decoding ends (whisper.cpp's n_len_org).
  size_t frames() const;
  // The first frame at or after `first` that holds a sound: a sample beyond two steps of 16 bits. frames() if
  // none does.
  size_t next_audible(size_t first) const;
  // Normalised frames [first, first + count) into `out`, [n_mels, count] row-major. Silence from frame `end`
  // on, where frames() is the end of the audio.
  void window(size_t first, size_t count, size_t end, float* out) const;

 private:
  void mark_audible(const float* samples, size_t count);
  void compute_ready_frames();
  void compute_frames(size_t count);

  class Fft;
  struct Filter {
    int first;
    std::vector<float> weights;
  };

  int n_mels_;
  std::vector<Filter> filters_;
  std::unique_ptr<Fft> fft_;
  std::vector<float> buffer_; // samples from the start of the next frame on
  size_t total_samples_ = 0;
  bool started_ = false;
  std::vector<bool> audible_; // of each hop of the audio
  float maximum_;
  size_t computed_ = 0;
  std::vector<std::unique_ptr<float[]>> blocks_; // kBlockFrames frames each, [frame, mel]
};

} // namespace whisper_hip
