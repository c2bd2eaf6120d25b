// The language of a recording, without its text.
#pragma once

#include <atomic>
#include <string>
#include <utility>
#include <vector>

#include "model/loaded_model.h"
#include "transcribe/transcriber.h"

namespace whisper_hip {

struct DetectedLanguage {
  std::string language;
  double probability;
  std::vector<std::pair<std::string, double>> all;
  std::vector<Warning> warnings; // about the audio
};

// Language of the first speech in the first 5 minutes. `network`: path of Silero's ONNX file.
DetectedLanguage detect_language(LoadedModel& model, const OpenAudio& open_audio, const std::string& network,
                                 int threads, const std::atomic<bool>& cancelled);

} // namespace whisper_hip
