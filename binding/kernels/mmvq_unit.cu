// Products of a few columns with quantised weights, without the types that Whisper's models do not come in
// and without the kernels for a choice among experts.
#include "ggml-cuda/common.cuh"

#include <string>

#include "kernel_missing.h"

template <ggml_type type>
static void mul_mat_vec_q_switch_ncols_dst(const void*, const void*, const int32_t*,
                                           const ggml_cuda_mm_fusion_args_device, float*, const int,
                                           const int, const int, const int, const int, const int, const int,
                                           const int, const int, const int, const int, const int, const int,
                                           const int, const int, const int, const int, const int,
                                           cudaStream_t);

template <ggml_type type>
static void mul_mat_vec_q_moe_launch(const void*, const void*, const int32_t*, float*, const uint32_t,
                                     const uint3, const uint32_t, const uint32_t, const uint32_t,
                                     const uint32_t, const uint32_t, const uint32_t, const uint32_t,
                                     const uint32_t, const uint32_t, const int, const int, cudaStream_t);

#define LEFT_OUT_TYPE(type)                                                                                  \
  template <>                                                                                                \
  void mul_mat_vec_q_switch_ncols_dst<type>(                                                                 \
      const void*, const void*, const int32_t*, const ggml_cuda_mm_fusion_args_device, float*, const int,    \
      const int, const int, const int, const int, const int, const int, const int, const int, const int,     \
      const int, const int, const int, const int, const int, const int, const int, const int,                \
      cudaStream_t) {                                                                                        \
    kernel_missing((std::string("mul_mat_vec_q<") + ggml_type_name(type) + ">").c_str());                    \
  }

#define LEFT_OUT_EXPERTS(type)                                                                               \
  template <>                                                                                                \
  void mul_mat_vec_q_moe_launch<type>(const void*, const void*, const int32_t*, float*, const uint32_t,      \
                                      const uint3, const uint32_t, const uint32_t, const uint32_t,           \
                                      const uint32_t, const uint32_t, const uint32_t, const uint32_t,        \
                                      const uint32_t, const uint32_t, const int, const int, cudaStream_t) {  \
    kernel_missing("mul_mat_vec_q for a choice among experts");                                              \
  }

LEFT_OUT_TYPE(GGML_TYPE_IQ1_M)
LEFT_OUT_TYPE(GGML_TYPE_IQ1_S)
LEFT_OUT_TYPE(GGML_TYPE_IQ2_S)
LEFT_OUT_TYPE(GGML_TYPE_IQ2_XS)
LEFT_OUT_TYPE(GGML_TYPE_IQ2_XXS)
LEFT_OUT_TYPE(GGML_TYPE_IQ3_S)
LEFT_OUT_TYPE(GGML_TYPE_IQ3_XXS)
LEFT_OUT_TYPE(GGML_TYPE_IQ4_NL)
LEFT_OUT_TYPE(GGML_TYPE_IQ4_XS)
LEFT_OUT_TYPE(GGML_TYPE_MXFP4)
LEFT_OUT_TYPE(GGML_TYPE_NVFP4)
LEFT_OUT_TYPE(GGML_TYPE_Q1_0)

LEFT_OUT_EXPERTS(GGML_TYPE_Q2_K)
LEFT_OUT_EXPERTS(GGML_TYPE_Q3_K)
LEFT_OUT_EXPERTS(GGML_TYPE_Q4_0)
LEFT_OUT_EXPERTS(GGML_TYPE_Q4_1)
LEFT_OUT_EXPERTS(GGML_TYPE_Q4_K)
LEFT_OUT_EXPERTS(GGML_TYPE_Q5_0)
LEFT_OUT_EXPERTS(GGML_TYPE_Q5_1)
LEFT_OUT_EXPERTS(GGML_TYPE_Q5_K)
LEFT_OUT_EXPERTS(GGML_TYPE_Q6_K)
LEFT_OUT_EXPERTS(GGML_TYPE_Q8_0)

#include "ggml-cuda/mmvq.cu"
