// The JS class Model: a loaded model and the tasks that it starts.
#pragma once

#include <napi.h>

#include <memory>

#include "model/loaded_model.h"

namespace whisper_hip {

class ModelObject : public Napi::ObjectWrap<ModelObject> {
 public:
  static Napi::Function define(Napi::Env env);
  static Napi::Object create(Napi::Env env, std::shared_ptr<LoadedModel> model);
  explicit ModelObject(const Napi::CallbackInfo& info);
  void Finalize(Napi::Env env) override;

 private:
  Napi::Value weight_bytes(const Napi::CallbackInfo& info);
  Napi::Value device(const Napi::CallbackInfo& info);
  Napi::Value transcribe(const Napi::CallbackInfo& info);
  Napi::Value hypothesize(const Napi::CallbackInfo& info);
  Napi::Value detect_language(const Napi::CallbackInfo& info);
  Napi::Value dispose(const Napi::CallbackInfo& info);
  std::shared_ptr<LoadedModel> model_or_throw(Napi::Env env) const;
  int64_t total_bytes() const;

  std::shared_ptr<LoadedModel> model_;
};

// loadModel(plan, options, onProgress) of lib/native.ts.
Napi::Value load_model(const Napi::CallbackInfo& info);
// writeTensors(plan, descriptor, offsets, compare, onProgress) of lib/native.ts.
Napi::Value write_tensors(const Napi::CallbackInfo& info);

} // namespace whisper_hip
