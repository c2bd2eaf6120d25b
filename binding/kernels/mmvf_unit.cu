// Products of a few columns with weights that are not quantised, without the kernels for a choice among
// experts.
#include "ggml-cuda/common.cuh"

#include "kernel_missing.h"

template <typename T, typename type_acc, int ncols_dst, bool is_multi_token_id>
void launch_mul_mat_vec_f_cuda(const T*, const float*, const int32_t*, const ggml_cuda_mm_fusion_args_device,
                               float*, const int64_t, const int64_t, const int64_t, const int64_t,
                               const int64_t, const int64_t, const int64_t, const int64_t, const int64_t,
                               const int64_t, const int64_t, const int64_t, const int64_t, const int64_t,
                               const int64_t, const int64_t, const int64_t, const int64_t, cudaStream_t);

#define LEFT_OUT(T, type_acc)                                                                                \
  template <>                                                                                                \
  void launch_mul_mat_vec_f_cuda<T, type_acc, 1, true>(                                                      \
      const T*, const float*, const int32_t*, const ggml_cuda_mm_fusion_args_device, float*, const int64_t,  \
      const int64_t, const int64_t, const int64_t, const int64_t, const int64_t, const int64_t,              \
      const int64_t, const int64_t, const int64_t, const int64_t, const int64_t, const int64_t,              \
      const int64_t, const int64_t, const int64_t, const int64_t, const int64_t, cudaStream_t) {             \
    kernel_missing("mul_mat_vec_f for a choice among experts");                                              \
  }

LEFT_OUT(float, float)
LEFT_OUT(half, half)
LEFT_OUT(half, float)
LEFT_OUT(nv_bfloat16, float)

#include "ggml-cuda/mmvf.cu"
