// Warnings on their way out. JS thread.
#pragma once

#include <napi.h>

#include <cmath>
#include <vector>

#include "support/warnings.h"

namespace whisper_hip {

inline Napi::Array warnings_to_js(Napi::Env env, const std::vector<Warning>& warnings) {
  Napi::Array array = Napi::Array::New(env, warnings.size());
  for (uint32_t i = 0; i < warnings.size(); ++i) {
    Napi::Object object = Napi::Object::New(env);
    object.Set("code", warnings[i].code);
    object.Set("message", warnings[i].message);
    if (!std::isnan(warnings[i].start))
      object.Set("start", warnings[i].start);
    if (!std::isnan(warnings[i].end))
      object.Set("end", warnings[i].end);
    array.Set(i, object);
  }
  return array;
}

} // namespace whisper_hip
