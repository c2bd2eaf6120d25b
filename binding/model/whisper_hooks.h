// What stands in the place of functions of ggml where whisper.cpp calls them: see whisper_unit.cpp.
#pragma once

#include "backend/gpu_watch.h"
#include "ggml-backend.h"
#include "ggml.h"

namespace whisper_hip {

// Whether a call with this argument may have to wait for a GPU.
template <typename Other> bool is_of_gpu(Other) {
  return false;
}
inline bool is_of_gpu(ggml_backend_buffer_type_t type) {
  ggml_backend_dev_t device = ggml_backend_buft_get_device(type);
  return device != nullptr && ggml_backend_dev_type(device) != GGML_BACKEND_DEVICE_TYPE_CPU;
}
inline bool is_of_gpu(ggml_backend_buffer_t buffer) {
  return buffer != nullptr && is_of_gpu(ggml_backend_buffer_get_type(buffer));
}
inline bool is_of_gpu(const ggml_tensor* tensor) {
  return is_of_gpu(tensor->buffer);
}
inline bool is_of_gpu(ggml_tensor* tensor) {
  return is_of_gpu(tensor->buffer);
}

// A function of ggml that may call the driver of a GPU, which may hang: see gpu_watch.h.
template <auto Function, typename... Arguments> auto watched(Arguments... arguments) {
  const GpuScope waiting((is_of_gpu(arguments) || ...));
  return Function(arguments...);
}

// Weights in ordinary memory lie in pages of 2 MiB, where the system has some: they are all read, for every
// token, and there are fewer faults while they are loaded.
ggml_backend_buffer_t alloc_weights_for_whisper(ggml_context* context, ggml_backend_buffer_type_t type);

} // namespace whisper_hip
