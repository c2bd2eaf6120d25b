// Whether the GPU of this process can still be used. ggml gives up in the middle of a computation by abort();
// turned into an exception it leaves the GPU's queues and memory in an unknown state, for the whole process.
#pragma once

#include <exception>
#include <string>

namespace whisper_hip {

// To be called in a catch block, for work on the GPU. What ggml or its backend threw makes the GPU unusable,
// and is returned as an Error with the reason CONTEXT_POISONED; an Error of our own and bad_alloc are
// returned as they are. Any thread.
std::exception_ptr note_gpu_failure();

// Remembers the first failure. Any thread.
void poison_gpu(const std::string& failure);

// The first failure; empty while all is well.
std::string gpu_failure();

// Throws Error(ERR_BACKEND_UNAVAILABLE, CONTEXT_POISONED) after a failure.
void require_sound_gpu();

} // namespace whisper_hip
