#include "vad/find_speech.h"

#include "support/cancellation.h"

namespace whisper_hip {

FoundSpeech find_speech(const OpenAudio& open_audio, const SpeechRequest& request,
                        const std::atomic<bool>& cancelled) {
  SpeechDetector detector(request);
  const std::unique_ptr<AudioStream> audio = open_audio();
  std::vector<float> block(64 * 1024);
  size_t total = 0;
  for (;;) {
    check(cancelled);
    const size_t count = audio->read(block.data(), block.size());
    if (count == 0)
      break;
    total += count;
    detector.push(block.data(), count);
  }
  detector.finish();
  return {static_cast<double>(total) / Resampler::kOutputRate, detector.speech(), detector.probabilities(),
          audio->warnings()};
}

} // namespace whisper_hip
