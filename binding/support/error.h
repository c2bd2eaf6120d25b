// The one exception of the native side: it crosses the border as a JavaScript error with the same `code`.
#pragma once

#include <stdexcept>
#include <string>

namespace whisper_hip {

class Error : public std::runtime_error {
 public:
  // `code` is a string literal: one of ErrorCode in lib/errors.ts, or "ERR_CANCELLED", which stays inside the
  // library. `message` is a sentence that names the thing (path, option, tensor).
  Error(const char* code, const std::string& message) : std::runtime_error(message), code(code) {}

  const char* code;
};

} // namespace whisper_hip
