#include "support/abort.h"
#include "support/log.h"
#include "whisper.h"

namespace whisper_hip {

void install_log_sink() {
  // whisper_log_set also sets ggml's sink, and whisper.cpp sets ggml's again from its own at every state
  // creation: setting ggml's alone would be undone.
  whisper_log_set(
      [](ggml_log_level level, const char* text, void* data) {
        route_log(level, text, data);
        throw_on_lost_buffer(text);
      },
      nullptr);
}

} // namespace whisper_hip
