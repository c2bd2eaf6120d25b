// The one exception of the native side: it crosses the border as a JavaScript error with the same `code`.
#pragma once

#include <stdexcept>
#include <string>

namespace whisper_hip {

class Error : public std::runtime_error {
 public:
  // `code` is a string literal: one of ErrorCode in lib/errors.ts, or "ERR_CANCELLED", which stays inside the
  // library. `message` is a sentence that names the thing (path, option, tensor). `reason` is a string
  // literal: one of BackendReason in lib/backend/types.ts, or empty.
  Error(const char* code, const std::string& message, const char* reason = "")
      : std::runtime_error(message), code(code), reason(reason) {}

  const char* code;
  const char* reason;
};

// What ggml says when it gives up in the middle of something: its data is in an unknown state.
class Abort : public Error {
 public:
  using Error::Error;
};

} // namespace whisper_hip
