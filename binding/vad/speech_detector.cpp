#include "vad/speech_detector.h"

#include <algorithm>

namespace whisper_hip {

SpeechDetector::SpeechDetector(const SpeechRequest& request)
    : network_(silero_weights(request.network)), segmenter_(request.options) {}

void SpeechDetector::push(const float* samples, size_t count) {
  samples_ += static_cast<int64_t>(count);
  network_.push(samples, count, probabilities_);
  segment();
}

void SpeechDetector::finish() {
  network_.finish(probabilities_);
  segment();
  segmenter_.finish(samples_, speech_);
  // The last frame reaches beyond the end.
  for (SpeechSpan& span : speech_)
    span.end = std::min(span.end, samples_);
}

void SpeechDetector::segment() {
  for (; segmented_ < probabilities_.size(); ++segmented_)
    segmenter_.push(probabilities_[segmented_], speech_);
}

} // namespace whisper_hip
