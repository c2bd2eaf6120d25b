#include "transcribe/detect_speech.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "environment.h"
#include "support/error.h"
#include "transcribe/request_from_js.h"
#include "vad/speech_detector.h"

namespace whisper_hip {

namespace {

struct FoundSpeech {
  double duration = 0; // seconds
  std::vector<SpeechSpan> speech;
  std::vector<float> probabilities;
};

FoundSpeech find_speech(const OpenAudio& open_audio, const SpeechRequest& request,
                        const std::atomic<bool>& cancelled) {
  SpeechDetector detector(request);
  const std::unique_ptr<AudioStream> audio = open_audio();
  std::vector<float> block(64 * 1024);
  size_t total = 0;
  for (;;) {
    if (cancelled.load(std::memory_order_relaxed))
      throw Error("ERR_CANCELLED", "The job was cancelled");
    const size_t count = audio->read(block.data(), block.size());
    if (count == 0)
      break;
    total += count;
    detector.push(block.data(), count);
  }
  detector.finish();
  return {static_cast<double>(total) / LogMel::kSampleRate, detector.speech(), detector.probabilities()};
}

Napi::Object to_js(Napi::Env env, const FoundSpeech& found) {
  Napi::Array segments = Napi::Array::New(env, found.speech.size());
  for (uint32_t i = 0; i < found.speech.size(); ++i) {
    Napi::Object segment = Napi::Object::New(env);
    segment.Set("start", static_cast<double>(found.speech[i].start) / LogMel::kSampleRate);
    segment.Set("end", static_cast<double>(found.speech[i].end) / LogMel::kSampleRate);
    segments.Set(i, segment);
  }
  Napi::Float32Array probabilities = Napi::Float32Array::New(env, found.probabilities.size());
  std::copy(found.probabilities.begin(), found.probabilities.end(), probabilities.Data());
  Napi::Object object = Napi::Object::New(env);
  object.Set("duration", found.duration);
  object.Set("segments", segments);
  object.Set("probabilities", probabilities);
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
