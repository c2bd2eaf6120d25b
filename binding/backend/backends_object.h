#pragma once

#include <napi.h>

namespace whisper_hip {

// Constants of this binary: { whisperCpp, ggml, compiler, napi }.
Napi::Object build_constants(Napi::Env env);

// loadBackends(cpuModules) of lib/native.ts.
Napi::Value load_backends(const Napi::CallbackInfo& info);

} // namespace whisper_hip
