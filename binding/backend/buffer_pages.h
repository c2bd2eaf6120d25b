// The memory pages of ggml's buffers.
#pragma once

#include <cstddef>
#include <cstdint>

#include "ggml-backend.h"

namespace whisper_hip {

// The whole pages of a buffer in ordinary memory.
struct Pages {
  uint8_t* start = nullptr;
  size_t size = 0;
};
Pages pages_of(ggml_backend_buffer_t buffer);

// Asks for pages of 2 MiB, where the system has some; it does so for pages without content only.
void ask_for_large_pages(ggml_backend_buffer_t buffer);

} // namespace whisper_hip
