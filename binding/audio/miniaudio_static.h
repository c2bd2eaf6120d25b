// miniaudio's decoders, all of them static: the compiler keeps what the file that includes this uses. The
// build knows these files, see CMakeLists.txt.
#pragma once

#include <cstdlib>

#include "audio/decoder_input.h"

// Broken input must end in an error, not in an assertion.
#undef NDEBUG
#define NDEBUG

#define MA_API static
#define MA_NO_DEVICE_IO
#define MA_NO_THREADING
#define MA_NO_ENCODING
#define MA_NO_GENERATION
#define MA_NO_RESOURCE_MANAGER
#define MA_NO_NODE_GRAPH
#define MA_NO_ENGINE
#define MA_DR_FLAC_NO_OGG
#define MA_DR_MP3_FLOAT_OUTPUT
#define MINIAUDIO_IMPLEMENTATION
// Its one variable that is not static: the linker keeps one of them.
#pragma weak ma_atomic_global_lock
// Of what optimisers have inlined they warn wherever it lies.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wstringop-overflow"
#endif
#include "miniaudio.h"
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

namespace whisper_hip {

inline ma_bool32 tell_position(void* user, ma_int64* position) {
  *position = tell_input(user);
  return MA_TRUE;
}

inline ma_allocation_callbacks bounded_memory() {
  ma_allocation_callbacks callbacks = {};
  callbacks.onMalloc = [](size_t size, void*) { return bounded_malloc(size); };
  callbacks.onRealloc = [](void* memory, size_t size, void*) { return bounded_realloc(memory, size); };
  callbacks.onFree = [](void* memory, void*) { std::free(memory); };
  return callbacks;
}

} // namespace whisper_hip
