#include "model/whisper_hooks.h"

#include <sys/mman.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <utility>

#include "backend/buffer_pages.h"
#include "support/error.h"
#include "support/log.h"

namespace whisper_hip {

ggml_backend_t init_device_for_whisper(ggml_backend_dev_t device, const char* params) {
  const GpuScope waiting(ggml_backend_dev_type(device) != GGML_BACKEND_DEVICE_TYPE_CPU);
  ggml_backend_t backend = ggml_backend_dev_init(device, params);
  if (backend != nullptr)
    return backend;
  const std::string said = logged_errors();
  throw Error("ERR_BACKEND_UNAVAILABLE",
              std::string("The device ") + ggml_backend_dev_name(device) + " could not be started" +
                  (said.empty() ? "" : ": " + said),
              "HIP_INIT_FAILED");
}

ggml_tensor* conv_for_whisper(ggml_context* context, ggml_tensor* kernel, ggml_tensor* input, int stride,
                              int dilation) {
  const int padding = static_cast<int>(kernel->ne[0] / 2);
  ggml_tensor* columns =
      ggml_im2col(context, kernel, input, stride, 0, padding, 0, dilation, 0, false, kernel->type);
  ggml_tensor* product = ggml_mul_mat(
      context, ggml_reshape_2d(context, columns, columns->ne[0], columns->ne[2] * columns->ne[1]),
      ggml_reshape_2d(context, kernel, kernel->ne[0] * kernel->ne[1], kernel->ne[2]));
  return ggml_reshape_3d(context, product, columns->ne[1], kernel->ne[2], columns->ne[2]);
}

ggml_backend_buffer_t alloc_weights_for_whisper(ggml_context* context, ggml_backend_buffer_type_t type) {
  ggml_backend_buffer_t buffer = watched<ggml_backend_alloc_ctx_tensors_from_buft>(context, type);
  if (buffer != nullptr && !is_of_gpu(buffer))
    ask_for_large_pages(buffer);
  return buffer;
}

void clear_for_whisper(ggml_backend_buffer_t buffer, uint8_t value) {
  const Pages pages = value == 0 && buffer != nullptr && !is_of_gpu(buffer) ? pages_of(buffer) : Pages{};
  if (pages.size == 0 || madvise(pages.start, pages.size, MADV_DONTNEED) != 0)
    return watched<ggml_backend_buffer_clear>(buffer, value);
  auto* base = static_cast<uint8_t*>(ggml_backend_buffer_get_base(buffer));
  const size_t before = pages.start - base;
  std::memset(base, 0, before);
  std::memset(pages.start + pages.size, 0, ggml_backend_buffer_get_size(buffer) - before - pages.size);
}

static thread_local AttentionCapture* capture = nullptr;

AttentionCapture::AttentionCapture(std::vector<bool> layers) : layers_(std::move(layers)) {
  capture = this;
}
AttentionCapture::~AttentionCapture() {
  capture = nullptr;
}
bool AttentionCapture::wants_next() {
  return layers_.at(next_++);
}
void AttentionCapture::keep(ggml_tensor* weights) {
  ggml_set_output(weights);
  weights_.push_back(weights);
}

// Cross-attention has no mask, which tells it from the self-attention of the decoder.
static bool wants_attention(const ggml_tensor* mask) {
  return capture != nullptr && mask == nullptr && capture->wants_next();
}

ggml_tensor* flash_attention_for_whisper(ggml_context* context, ggml_tensor* q, ggml_tensor* k,
                                         ggml_tensor* v, ggml_tensor* mask, float scale, float bias,
                                         float softcap) {
  // Flash attention never has its weights as a whole: they are computed beside it.
  if (wants_attention(mask))
    capture->keep(ggml_soft_max_ext(context, ggml_mul_mat(context, k, q), nullptr, scale, 0.0f));
  return ggml_flash_attn_ext(context, q, k, v, mask, scale, bias, softcap);
}

ggml_tensor* soft_max_for_whisper(ggml_context* context, ggml_tensor* scores, ggml_tensor* mask, float scale,
                                  float bias) {
  ggml_tensor* weights = ggml_soft_max_ext(context, scores, mask, scale, bias);
  if (wants_attention(mask))
    capture->keep(weights);
  return weights;
}

void expand_for_whisper(ggml_cgraph* graph, ggml_tensor* tensor) {
  // Before the tensor: whisper.cpp finds its logits as the last node.
  if (capture != nullptr) {
    for (ggml_tensor* weights : capture->weights())
      ggml_build_forward_expand(graph, weights);
  }
  ggml_build_forward_expand(graph, tensor);
}

} // namespace whisper_hip
