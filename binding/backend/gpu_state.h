// Whether the GPU of this process can still be used. ggml gives up in the middle of a computation by abort();
// turned into an exception it leaves the GPU's queues and memory in an unknown state, for the whole process.
#pragma once

#include <string>

namespace whisper_hip {

// Remembers the first failure. Any thread.
void poison_gpu(const std::string& failure);

// What poison_gpu() was told first; empty while all is well.
std::string gpu_failure();

// Throws Error(ERR_BACKEND_UNAVAILABLE, CONTEXT_POISONED) after a failure.
void require_sound_gpu();

} // namespace whisper_hip
