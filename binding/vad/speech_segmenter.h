// Turns the probabilities of speech, frame by frame, into stretches of speech. lib/stream/endpointer.ts has
// the same rule for live streams (docs/decisions/0023-two-homes-of-one-rule.md). The rules of Silero's
// get_speech_timestamps() with the options of faster-whisper, without looking ahead, so that they serve live
// audio too. Too long a stretch is cut at its quietest frame. Times are samples at 16 kHz.
#pragma once

#include <cstdint>
#include <deque>
#include <limits>
#include <optional>
#include <vector>

namespace whisper_hip {

struct SpeechOptions {
  float threshold = 0.5f;           // speech begins at this probability
  float negative_threshold = 0.35f; // and ends below this one, when it stays there
  int64_t minimum_speech = 0;       // shorter stretches are dropped
  int64_t minimum_silence = 32000;  // shorter pauses are part of the speech
  int64_t padding = 6400;           // added at both ends, as far as the pause between two stretches has room
  int64_t maximum_speech = std::numeric_limits<int64_t>::max(); // with the padding, and above it
};

struct SpeechSpan {
  int64_t start;
  int64_t end;
};

class SpeechSegmenter {
 public:
  static constexpr int64_t kFrame = 512;

  explicit SpeechSegmenter(const SpeechOptions& options);

  // The next frame. Appends the stretches that nothing can change any more: in order, without overlap.
  void push(float probability, std::vector<SpeechSpan>& closed);
  // The audio ends after `samples`: closes what is open.
  void finish(int64_t samples, std::vector<SpeechSpan>& closed);

 private:
  void cut_when_too_long(std::vector<SpeechSpan>& closed);
  void close(int64_t end, std::vector<SpeechSpan>& closed);
  void settle_pending(std::vector<SpeechSpan>& closed);

  SpeechOptions options_;
  int64_t longest_; // without the padding
  int64_t now_ = 0; // end of the last frame
  bool speaking_ = false;
  bool continued_ = false; // after a cut: a rest is kept, however short
  int64_t start_ = 0;
  int64_t lead_ = 0;                // padding of the start
  int64_t silence_start_ = -1;      // of the pause that may end the speech
  std::deque<float> probabilities_; // since the start, where there is a maximum
  // The last stretch, padded at its start only: how much fits at its end depends on the next one.
  std::optional<SpeechSpan> pending_;
};

} // namespace whisper_hip
