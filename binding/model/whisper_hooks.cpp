#include "model/whisper_hooks.h"

#include "backend/buffer_pages.h"
#include "ggml-alloc.h"

namespace whisper_hip {

ggml_backend_buffer_t alloc_weights_for_whisper(ggml_context* context, ggml_backend_buffer_type_t type) {
  ggml_backend_buffer_t buffer = watched<ggml_backend_alloc_ctx_tensors_from_buft>(context, type);
  if (buffer != nullptr && !is_of_gpu(buffer))
    ask_for_large_pages(buffer);
  return buffer;
}

} // namespace whisper_hip
