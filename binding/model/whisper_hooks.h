// What stands in the place of functions of ggml where whisper.cpp calls them: see whisper_unit.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "backend/gpu_watch.h"
#include "ggml-alloc.h"
#include "ggml-backend.h"
#include "ggml.h"

namespace whisper_hip {

// whisper.cpp goes on without a GPU that cannot be started, and dies later of the weights that lie there:
// here it is an error.
ggml_backend_t init_device_for_whisper(ggml_backend_dev_t device, const char* params);

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
inline bool is_of_gpu(ggml_backend_t backend) {
  return backend != nullptr && is_of_gpu(ggml_backend_get_default_buffer_type(backend));
}
inline bool is_of_gpu(ggml_backend_sched_t scheduler) {
  return scheduler != nullptr && is_of_gpu(ggml_backend_sched_get_backend(scheduler, 0));
}

// A function of ggml that may call the driver of a GPU, which may hang: see gpu_watch.h.
template <auto Function, typename... Arguments> auto watched(Arguments... arguments) {
  const GpuScope waiting((is_of_gpu(arguments) || ...));
  return Function(arguments...);
}

// Weights in ordinary memory lie in pages of 2 MiB, where the system has some: they are all read, for every
// token, and there are fewer faults while they are loaded.
ggml_backend_buffer_t alloc_weights_for_whisper(ggml_context* context, ggml_backend_buffer_type_t type);

// Caches are cleared when they are made and before each window. In ordinary memory their pages are given
// back, which are zero when they are next used; most of a cache is not, as a window has 448 tokens at most.
void clear_for_whisper(ggml_backend_buffer_t buffer, uint8_t value);

// A one-dimensional convolution with half padding, as ggml_conv_1d_ph() makes it for kernels of f16, for
// those of f32 too: kernel [size, inputs, outputs], input [length, inputs], result [length / stride,
// outputs].
ggml_tensor* conv_for_whisper(ggml_context* context, ggml_tensor* kernel, ggml_tensor* input, int stride,
                              int dilation);

// As long as it lives, decoder graphs of this thread keep the cross-attention of the layers that are wanted.
class AttentionCapture {
 public:
  explicit AttentionCapture(std::vector<bool> layers);
  ~AttentionCapture();
  AttentionCapture(const AttentionCapture&) = delete;
  AttentionCapture& operator=(const AttentionCapture&) = delete;

  // Of the wanted layers, when the graph was built: [positions, tokens, heads].
  const std::vector<ggml_tensor*>& weights() const { return weights_; }

  // For the functions below.
  bool wants_next();
  void keep(ggml_tensor* weights);

 private:
  std::vector<bool> layers_;
  size_t next_ = 0;
  std::vector<ggml_tensor*> weights_;
};

ggml_tensor* flash_attention_for_whisper(ggml_context* context, ggml_tensor* q, ggml_tensor* k,
                                         ggml_tensor* v, ggml_tensor* mask, float scale, float bias,
                                         float softcap);
ggml_tensor* soft_max_for_whisper(ggml_context* context, ggml_tensor* scores, ggml_tensor* mask, float scale,
                                  float bias);
void expand_for_whisper(ggml_cgraph* graph, ggml_tensor* tensor);

} // namespace whisper_hip
