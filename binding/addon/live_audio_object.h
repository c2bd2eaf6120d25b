// The JS class LiveAudio.
#pragma once

#include <napi.h>

#include <memory>

#include "stream/live_audio.h"

namespace whisper_hip {

class LiveAudioObject : public Napi::ObjectWrap<LiveAudioObject> {
 public:
  static Napi::Function define(Napi::Env env);
  // (options: NativeLiveAudioOptions)
  explicit LiveAudioObject(const Napi::CallbackInfo& info);

 private:
  Napi::Value push(const Napi::CallbackInfo& info);
  Napi::Value finish(const Napi::CallbackInfo& info);

  std::unique_ptr<LiveAudio> audio_;
};

} // namespace whisper_hip
