// What a job decodes: the audio as frames, and where somebody speaks in it.
#pragma once

#include <atomic>
#include <optional>
#include <vector>

#include "audio/audio_stream.h"
#include "model/load_plan.h"
#include "model/whisper_unit.h"
#include "transcribe/coverage.h"
#include "transcribe/mel.h"
#include "transcribe/request.h"
#include "vad/speech_detector.h"

namespace whisper_hip {

struct Recording {
  LogMel mel;
  std::vector<SpeechSpan> speech; // by the rules of the detector; empty without one
  VoicedTime voiced;
};

// Reads the whole audio, or its first `max_samples`. Without a request nobody listens for speech. Adds to the
// phases what it took. Throws the errors of the audio, and Error(ERR_CANCELLED).
Recording read_recording(const whisper_context& context, const Hyperparameters& hparams, AudioStream& audio,
                         size_t max_samples, const std::optional<SpeechRequest>& speech,
                         const std::atomic<bool>& cancelled, Phases& phases);

} // namespace whisper_hip
