// The speech in a whole recording.
#pragma once

#include <atomic>
#include <vector>

#include "audio/audio_stream.h"
#include "vad/speech_detector.h"

namespace whisper_hip {

struct FoundSpeech {
  double duration = 0; // seconds
  std::vector<SpeechSpan> speech;
  std::vector<float> probabilities; // one for each frame of 512 samples
  std::vector<Warning> warnings;    // about the audio
};

// Runs on the calling thread. Throws Error(ERR_CANCELLED) soon after `cancelled` was set, the errors of the
// audio, and what silero_weights() throws.
FoundSpeech find_speech(const OpenAudio& open_audio, const SpeechRequest& request,
                        const std::atomic<bool>& cancelled);

} // namespace whisper_hip
