#pragma once

#include <napi.h>

namespace whisper_hip {

// detectSpeech(audio, options) of lib/native.ts.
Napi::Value detect_speech(const Napi::CallbackInfo& info);

} // namespace whisper_hip
