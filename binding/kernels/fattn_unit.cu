// The choice of a kernel for flash attention, without the matrix core kernels of other head sizes and of
// fewer key heads than query heads: supports_op (module.cpp) claims neither.
#include "ggml-cuda/common.cuh"

#include "kernel_missing.h"

template <int DKQ, int DV, int ncols2>
static void ggml_cuda_flash_attn_ext_mma_f16_switch_ncols1(ggml_backend_cuda_context& ctx, ggml_tensor* dst);

template <int DKQ, int DV>
static void ggml_cuda_flash_attn_ext_mma_f16_switch_ncols2(ggml_backend_cuda_context& ctx, ggml_tensor* dst);

#define LEFT_OUT_HEADS(dkq, dv, ncols2)                                                                      \
  template <>                                                                                                \
  void ggml_cuda_flash_attn_ext_mma_f16_switch_ncols1<dkq, dv, ncols2>(ggml_backend_cuda_context&,           \
                                                                       ggml_tensor*) {                       \
    kernel_missing("flash_attn_ext_mma_f16<" #dkq ", " #dv ", *, " #ncols2 ">");                             \
  }
#define LEFT_OUT_SIZE(d)                                                                                     \
  template <>                                                                                                \
  void ggml_cuda_flash_attn_ext_mma_f16_switch_ncols2<d, d>(ggml_backend_cuda_context&, ggml_tensor*) {      \
    kernel_missing("flash_attn_ext_mma_f16<" #d ", " #d ">");                                                \
  }

LEFT_OUT_HEADS(64, 64, 2)
LEFT_OUT_HEADS(64, 64, 4)
LEFT_OUT_HEADS(64, 64, 8)
LEFT_OUT_HEADS(192, 128, 8)
LEFT_OUT_HEADS(192, 128, 16)
LEFT_OUT_HEADS(320, 256, 32)
LEFT_OUT_HEADS(576, 512, 4)
LEFT_OUT_HEADS(576, 512, 16)
LEFT_OUT_HEADS(576, 512, 32)
LEFT_OUT_SIZE(80)
LEFT_OUT_SIZE(96)
LEFT_OUT_SIZE(112)
LEFT_OUT_SIZE(128)
LEFT_OUT_SIZE(256)
LEFT_OUT_SIZE(512)

#include "ggml-cuda/fattn.cu"
