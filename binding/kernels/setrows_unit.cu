// Rows of F32 into rows of F16 or F32: how keys and values get into their caches. Upstream has it for BF16
// and quantised rows too, in 14 kernels more.
#include "ggml-cuda/common.cuh"
#include "ggml-cuda/cpy-utils.cuh"

#include "kernel_missing.h"

template <typename src_t, typename idx_t, typename dst_t>
static void set_rows_cuda(const src_t*, const idx_t*, dst_t*, const int64_t, const int64_t, const int64_t,
                          const int64_t, const int64_t, const int64_t, const int64_t, const int64_t,
                          const size_t, const size_t, const size_t, const size_t, const size_t, const size_t,
                          const size_t, const size_t, const size_t, cudaStream_t);

template <typename idx_t, typename block_type, int qk, void (*quantize_func)(const float*, block_type*)>
static void set_rows_cuda_quant(const float*, const idx_t*, block_type*, const int64_t, const int64_t,
                                const int64_t, const int64_t, const int64_t, const int64_t, const int64_t,
                                const int64_t, const size_t, const size_t, const size_t, const size_t,
                                const size_t, const size_t, const size_t, const size_t, const size_t,
                                cudaStream_t);

#define LEFT_OUT_BY(idx, block, function, ...)                                                               \
  template <>                                                                                                \
  void function<__VA_ARGS__>(const float*, const idx*, block*, const int64_t, const int64_t, const int64_t,  \
                             const int64_t, const int64_t, const int64_t, const int64_t, const int64_t,      \
                             const size_t, const size_t, const size_t, const size_t, const size_t,           \
                             const size_t, const size_t, const size_t, const size_t, cudaStream_t) {         \
    kernel_missing("set_rows<" #block ">");                                                                  \
  }
#define LEFT_OUT_QUANT(block, qk, quantize)                                                                  \
  LEFT_OUT_BY(int32_t, block, set_rows_cuda_quant, int32_t, block, qk, quantize)                             \
  LEFT_OUT_BY(int64_t, block, set_rows_cuda_quant, int64_t, block, qk, quantize)

LEFT_OUT_BY(int32_t, nv_bfloat16, set_rows_cuda, float, int32_t, nv_bfloat16)
LEFT_OUT_BY(int64_t, nv_bfloat16, set_rows_cuda, float, int64_t, nv_bfloat16)
LEFT_OUT_QUANT(block_q4_0, QK4_0, quantize_f32_q4_0_block)
LEFT_OUT_QUANT(block_q4_1, QK4_1, quantize_f32_q4_1_block)
LEFT_OUT_QUANT(block_q5_0, QK5_0, quantize_f32_q5_0_block)
LEFT_OUT_QUANT(block_q5_1, QK5_1, quantize_f32_q5_1_block)
LEFT_OUT_QUANT(block_q8_0, QK8_0, quantize_f32_q8_0_block)
LEFT_OUT_QUANT(block_iq4_nl, QK4_NL, quantize_f32_iq4_nl_block)

#include "ggml-cuda/set-rows.cu"
