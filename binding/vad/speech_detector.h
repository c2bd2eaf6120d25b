// Finds the speech in a stream of samples: the network, and the rules that make stretches of what it says.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "vad/silero.h"
#include "vad/speech_segmenter.h"

namespace whisper_hip {

struct SpeechRequest {
  std::string network; // path of Silero's ONNX file
  SpeechOptions options;
};

class SpeechDetector {
 public:
  // Throws what silero_weights() throws.
  explicit SpeechDetector(const SpeechRequest& request);

  // Appends 16 kHz mono samples.
  void push(const float* samples, size_t count);
  // No samples follow.
  void finish();

  // Stretches of speech so far, in samples.
  const std::vector<SpeechSpan>& speech() const { return speech_; }
  // One for each frame of 512 samples so far.
  const std::vector<float>& probabilities() const { return probabilities_; }

 private:
  void segment();

  Silero network_;
  SpeechSegmenter segmenter_;
  int64_t samples_ = 0;
  size_t segmented_ = 0; // frames
  std::vector<float> probabilities_;
  std::vector<SpeechSpan> speech_;
};

} // namespace whisper_hip
