#include "transcribe/recording.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "support/cancellation.h"

namespace whisper_hip {

namespace {

using Clock = std::chrono::steady_clock;

// Seconds since `mark`, which is moved to now.
double lap(Clock::time_point& mark) {
  const Clock::time_point before = std::exchange(mark, Clock::now());
  return std::chrono::duration<double>(mark - before).count();
}

} // namespace

Recording read_recording(const whisper_context& context, const Hyperparameters& hparams, AudioStream& audio,
                         size_t max_samples, const std::optional<SpeechRequest>& speech,
                         const std::atomic<bool>& cancelled, Phases& phases) {
  auto mark = Clock::now();
  LogMel mel(mel_filters(context), hparams.n_mels);
  std::optional<SpeechDetector> detector;
  if (speech)
    detector.emplace(*speech);
  std::vector<float> block(64 * 1024);
  while (mel.samples() < max_samples) {
    check(cancelled);
    const size_t count = audio.read(block.data(), std::min(block.size(), max_samples - mel.samples()));
    phases.decode += lap(mark);
    if (count == 0)
      break;
    mel.push(block.data(), count);
    phases.mel += lap(mark);
    if (detector) {
      detector->push(block.data(), count);
      phases.vad += lap(mark);
    }
  }
  mel.finish();
  phases.mel += lap(mark);
  if (!detector)
    return {std::move(mel), {}, {}};
  detector->finish();
  phases.vad += lap(mark);
  return {std::move(mel), detector->speech(),
          VoicedTime(detector->probabilities(), std::max(speech->options.threshold, 0.5f))};
}

} // namespace whisper_hip
