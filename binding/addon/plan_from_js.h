#pragma once

#include <napi.h>

#include "model/load_plan.h"

namespace whisper_hip {

// Copies a NativeLoadPlan (lib/native.ts). Throws Napi::TypeError for wrong types; values are checked by
// validate().
LoadPlan plan_from_js(Napi::Object plan);

} // namespace whisper_hip
