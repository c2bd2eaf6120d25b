// Errors on their way out: what native code throws becomes a JavaScript error with the same `code`. JS
// thread.
#pragma once

#include <napi.h>

#include <new>
#include <string>

#include "support/error.h"

namespace whisper_hip {

inline Napi::Error js_error(Napi::Env env, const std::string& code, const std::string& message,
                            const std::string& reason = "") {
  Napi::Error error = Napi::Error::New(env, message);
  error.Set("code", Napi::String::New(env, code));
  if (!reason.empty())
    error.Set("reason", Napi::String::New(env, reason));
  return error;
}

// Calls `work` and returns its value; its Error or std::bad_alloc is thrown on as a Napi::Error.
template <typename Work> auto with_js_errors(Napi::Env env, Work work) {
  try {
    return work();
  } catch (const Error& error) {
    throw js_error(env, error.code, error.what(), error.reason);
  } catch (const std::bad_alloc&) {
    throw js_error(env, "ERR_OUT_OF_MEMORY", "Memory could not be allocated");
  }
}

} // namespace whisper_hip
