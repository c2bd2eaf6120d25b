// One transcription: audio -> mel -> windows of 30 s, each decoded at rising temperatures until it is good.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <vector>

#include "audio/audio_stream.h"
#include "model/loaded_model.h"
#include "transcribe/mel.h"
#include "transcribe/request.h"

namespace whisper_hip {

struct TranscribeEvents {
  std::function<void(std::vector<SegmentResult>)> segments;
  std::function<void(double)> progress; // 0..1 of the audio
};

// Runs on the calling thread. Throws Error(ERR_CANCELLED) within one graph node of `cancelled` being set, the
// errors of the audio and ERR_INVALID_ARGUMENT for a bad grammar or regular expression.
TranscribeResult transcribe(LoadedModel& model, const OpenAudio& open_audio, const TranscribeRequest& request,
                            const std::atomic<bool>& cancelled, const TranscribeEvents& events);

} // namespace whisper_hip
