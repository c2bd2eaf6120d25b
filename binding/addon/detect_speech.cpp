#include "addon/detect_speech.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "addon/environment.h"
#include "addon/js_warnings.h"
#include "addon/request_from_js.h"
#include "vad/find_speech.h"

namespace whisper_hip {

namespace {

Napi::Object to_js(Napi::Env env, const FoundSpeech& found) {
  Napi::Array segments = Napi::Array::New(env, found.speech.size());
  for (uint32_t i = 0; i < found.speech.size(); ++i) {
    Napi::Object segment = Napi::Object::New(env);
    segment.Set("start", static_cast<double>(found.speech[i].start) / Resampler::kOutputRate);
    segment.Set("end", static_cast<double>(found.speech[i].end) / Resampler::kOutputRate);
    segments.Set(i, segment);
  }
  Napi::Float32Array probabilities = Napi::Float32Array::New(env, found.probabilities.size());
  std::copy(found.probabilities.begin(), found.probabilities.end(), probabilities.Data());
  Napi::Object object = Napi::Object::New(env);
  object.Set("duration", found.duration);
  object.Set("segments", segments);
  object.Set("probabilities", probabilities);
  object.Set("warnings", warnings_to_js(env, found.warnings));
  return object;
}

} // namespace

Napi::Value detect_speech(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  OpenAudio open_audio = audio_from_js(info[0].As<Napi::Object>());
  SpeechRequest request = speech_request_from_js(info[1].As<Napi::Object>());
  return Environment::of(env).run(
      env,
      [open_audio = std::move(open_audio),
       request = std::move(request)](const std::atomic<bool>& cancelled) -> Settle {
        auto found = std::make_shared<FoundSpeech>(find_speech(open_audio, request, cancelled));
        return [found = std::move(found)](Napi::Env done) -> Napi::Value { return to_js(done, *found); };
      });
}

} // namespace whisper_hip
