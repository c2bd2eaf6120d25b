#include "support/abort.h"

#include <cstdlib>
#include <string>

#include "ggml.h"
#include "support/error.h"

namespace whisper_hip {

namespace {

thread_local bool may_throw = false;
thread_local bool aborted = false;

bool concerns_memory(const std::string& message) {
  for (const char* sign : {"alloc", "mem_buffer", "GGML_ASSERT(buffer", "out of memory"}) {
    if (message.find(sign) != std::string::npos)
      return true;
  }
  return false;
}

void on_abort(const char* text) {
  if (!may_throw)
    return; // ggml aborts the process
  aborted = true;
  const std::string message = text != nullptr ? text : "";
  if (concerns_memory(message))
    throw Error("ERR_OUT_OF_MEMORY", "ggml could not allocate memory: " + message);
  throw Error("ERR_INTERNAL", "ggml gave up: " + message);
}

} // namespace

void install_abort_handler() {
  setenv("GGML_NO_BACKTRACE", "1", 1);
  ggml_set_abort_callback(on_abort);
}

AbortScope::AbortScope() {
  may_throw = true;
  aborted = false;
}

AbortScope::~AbortScope() {
  may_throw = false;
}

bool ggml_has_aborted() {
  return aborted;
}

} // namespace whisper_hip
