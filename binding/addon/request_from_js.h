#pragma once

#include <napi.h>

#include "transcribe/detect_language.h"
#include "transcribe/hypothesis.h"
#include "transcribe/request.h"
#include "transcribe/transcriber.h"

namespace whisper_hip {

// Copies NativeTranscribeOptions (lib/native.ts), which lib/transcribe/options.ts has checked. Numbers that
// would hurt whisper.cpp are clamped all the same.
TranscribeRequest request_from_js(Napi::Object options);

// NativeSpeechOptions.
SpeechRequest speech_request_from_js(Napi::Object options);

// NativeHypothesisOptions.
HypothesisRequest hypothesis_request_from_js(Napi::Object options);

// Pairs of layer and head, one after the other; none for anything but an array. Throws Napi::TypeError for a
// head that the model does not have.
std::vector<AttentionHead> alignment_heads_from_js(Napi::Value value, const Hyperparameters& hparams);

// A NativeAudioSource. The opener runs on the job's thread. Throws Napi::TypeError.
OpenAudio audio_from_js(Napi::Object source);

Napi::Array segments_to_js(Napi::Env env, const std::vector<SegmentResult>& segments);
Napi::Object result_to_js(Napi::Env env, const TranscribeResult& result, bool on_gpu);
Napi::Object hypothesis_to_js(Napi::Env env, const Hypothesis& hypothesis);
Napi::Object language_to_js(Napi::Env env, const DetectedLanguage& language);

} // namespace whisper_hip
