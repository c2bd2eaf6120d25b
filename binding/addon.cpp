// The export table, mirrored line for line by lib/native.ts.
#include <napi.h>

#include "addon/backends_object.h"
#include "addon/byte_store_object.h"
#include "addon/detect_speech.h"
#include "addon/environment.h"
#include "addon/live_audio_object.h"
#include "addon/model_object.h"
#include "support/abort.h"
#include "support/log.h"

namespace whisper_hip {

namespace {

void set_log_sink(const Napi::CallbackInfo& info) {
  Environment::of(info.Env()).set_log_sink(info[0]);
}

Napi::Value counters(const Napi::CallbackInfo& info) {
  Napi::Object counts = Napi::Object::New(info.Env());
  counts.Set("models", live_counts().models.load());
  counts.Set("tasks", Environment::live_tasks());
  counts.Set("byteStores", ByteStoreObject::live());
  return counts;
}

Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  install_abort_handler();
  install_log_sink();
  Environment& environment = Environment::create(env);
  environment.model_constructor = Napi::Persistent(ModelObject::define(env));
  environment.byte_store_constructor = Napi::Persistent(ByteStoreObject::define(env));

  exports.Set("build", build_constants(env));
  exports.Set("loadBackends", Napi::Function::New<load_backends>(env, "loadBackends"));
  exports.Set("loadHip", Napi::Function::New<load_hip>(env, "loadHip"));
  exports.Set("hipState", Napi::Function::New<hip_state>(env, "hipState"));
  exports.Set("setVariables", Napi::Function::New<set_variables>(env, "setVariables"));
  exports.Set("gpuMemory", Napi::Function::New<gpu_memory>(env, "gpuMemory"));
  exports.Set("probe", Napi::Function::New<probe>(env, "probe"));
  exports.Set("trialOperations", Napi::Function::New<trial_operations>(env, "trialOperations"));
  exports.Set("timeOperations", Napi::Function::New<time_operations>(env, "timeOperations"));
  exports.Set("recordOperations", Napi::Function::New<record_operations>(env, "recordOperations"));
  exports.Set("setLogSink", Napi::Function::New<set_log_sink>(env, "setLogSink"));
  exports.Set("ByteStore", environment.byte_store_constructor.Value());
  exports.Set("loadModel", Napi::Function::New<load_model>(env, "loadModel"));
  exports.Set("detectSpeech", Napi::Function::New<detect_speech>(env, "detectSpeech"));
  exports.Set("LiveAudio", LiveAudioObject::define(env));
  exports.Set("writeTensors", Napi::Function::New<write_tensors>(env, "writeTensors"));
  exports.Set("counters", Napi::Function::New<counters>(env, "counters"));
  return exports;
}

} // namespace

NODE_API_MODULE(whisper_hip, initialize)

} // namespace whisper_hip
