#pragma once

#include <napi.h>

namespace whisper_hip {

// Constants of this binary: { whisperCpp, ggml, compiler, napi }.
Napi::Object build_constants(Napi::Env env);

// loadBackends(cpuModules) of lib/native.ts.
Napi::Value load_backends(const Napi::CallbackInfo& info);

// loadHip(path, gpu) of lib/native.ts.
Napi::Value load_hip(const Napi::CallbackInfo& info);

// hipState() of lib/native.ts.
Napi::Value hip_state(const Napi::CallbackInfo& info);

// setVariables(variables) of lib/native.ts.
Napi::Value set_variables(const Napi::CallbackInfo& info);

// gpuMemory(device) of lib/native.ts.
Napi::Value gpu_memory(const Napi::CallbackInfo& info);

// probe(cpuModules, hipModule, pciId, descriptor) of lib/native.ts.
Napi::Value probe(const Napi::CallbackInfo& info);

// trialOperations() of lib/native.ts.
Napi::Value trial_operations(const Napi::CallbackInfo& info);

// recordOperations(on) of lib/native.ts.
Napi::Value record_operations(const Napi::CallbackInfo& info);

// timeOperations(on) of lib/native.ts.
Napi::Value time_operations(const Napi::CallbackInfo& info);

} // namespace whisper_hip
