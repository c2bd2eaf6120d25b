// What ggml-cuda refers to and this module was built without. supports_op (module.cpp) claims none of it, so
// that a call is a fault of ours; it names the kernel and ends as every abort of ggml does. The linker finds
// a name that is missing.
#include <cstddef>
#include <cstdint>
#include <string>

#include "ggml-backend.h"
#include "kernel_missing.h"

struct ggml_backend_cuda_context;
struct ggml_cuda_ar_pipeline;
struct ggml_cuda_topk_moe_args;
struct ihipStream_t;
struct mmq_args;

// Operations.
#define LEFT_OUT(name)                                                                                       \
  void name(ggml_backend_cuda_context&, ggml_tensor*) { kernel_missing(#name); }

LEFT_OUT(ggml_cuda_argmax)
LEFT_OUT(ggml_cuda_conv_2d_transpose_p0)
LEFT_OUT(ggml_cuda_count_equal)
LEFT_OUT(ggml_cuda_cross_entropy_loss)
LEFT_OUT(ggml_cuda_cross_entropy_loss_back)
LEFT_OUT(ggml_cuda_flash_attn_ext_wmma_f16)
LEFT_OUT(ggml_cuda_op_acc)
LEFT_OUT(ggml_cuda_op_add_id)
LEFT_OUT(ggml_cuda_op_arange)
LEFT_OUT(ggml_cuda_op_argsort)
LEFT_OUT(ggml_cuda_op_clamp)
LEFT_OUT(ggml_cuda_op_concat)
LEFT_OUT(ggml_cuda_op_conv2d)
LEFT_OUT(ggml_cuda_op_conv2d_dw)
LEFT_OUT(ggml_cuda_op_conv_transpose_1d)
LEFT_OUT(ggml_cuda_op_cumsum)
LEFT_OUT(ggml_cuda_op_diag)
LEFT_OUT(ggml_cuda_op_diag_mask_inf)
LEFT_OUT(ggml_cuda_op_fill)
LEFT_OUT(ggml_cuda_op_gated_delta_net)
LEFT_OUT(ggml_cuda_op_gated_linear_attn)
LEFT_OUT(ggml_cuda_op_mean)
LEFT_OUT(ggml_cuda_op_pad)
LEFT_OUT(ggml_cuda_op_pad_reflect_1d)
LEFT_OUT(ggml_cuda_op_pool2d)
LEFT_OUT(ggml_cuda_op_roll)
LEFT_OUT(ggml_cuda_op_rope)
LEFT_OUT(ggml_cuda_op_rope_back)
LEFT_OUT(ggml_cuda_op_rwkv_wkv6)
LEFT_OUT(ggml_cuda_op_rwkv_wkv7)
LEFT_OUT(ggml_cuda_op_scale)
LEFT_OUT(ggml_cuda_op_set)
LEFT_OUT(ggml_cuda_op_solve_tri)
LEFT_OUT(ggml_cuda_op_ssm_scan)
LEFT_OUT(ggml_cuda_op_sum)
LEFT_OUT(ggml_cuda_op_sum_rows)
LEFT_OUT(ggml_cuda_op_timestep_embedding)
LEFT_OUT(ggml_cuda_op_top_k)
LEFT_OUT(ggml_cuda_op_tri)
LEFT_OUT(ggml_cuda_op_upscale)
LEFT_OUT(ggml_cuda_opt_step_adamw)
LEFT_OUT(ggml_cuda_opt_step_sgd)
LEFT_OUT(ggml_cuda_out_prod)

// Several operations in one kernel.
void ggml_cuda_op_rope_fused(ggml_backend_cuda_context&, ggml_tensor*, ggml_tensor*) {
  kernel_missing("ggml_cuda_op_rope_fused");
}

void ggml_cuda_op_softcap(ggml_backend_cuda_context&, ggml_tensor*, ggml_tensor*) {
  kernel_missing("ggml_cuda_op_softcap");
}

void ggml_cuda_op_ssm_conv(ggml_backend_cuda_context&, ggml_tensor*, ggml_tensor*, ggml_tensor*) {
  kernel_missing("ggml_cuda_op_ssm_conv");
}

void ggml_cuda_op_snake_fused(ggml_backend_cuda_context&, const ggml_tensor*, const ggml_tensor*,
                              const ggml_tensor*, ggml_tensor*) {
  kernel_missing("ggml_cuda_op_snake_fused");
}

void ggml_cuda_op_topk_moe(ggml_backend_cuda_context&, const ggml_tensor*, ggml_tensor*, ggml_tensor*,
                           const ggml_tensor*, const ggml_tensor*, const ggml_tensor*,
                           const ggml_cuda_topk_moe_args&) {
  kernel_missing("ggml_cuda_op_topk_moe");
}

// These two are asked whether a kernel fits, and say no.
bool ggml_cuda_should_use_topk_moe(const ggml_tensor*, const ggml_tensor*, const ggml_tensor*,
                                   const ggml_tensor*) {
  return false;
}

bool ggml_cuda_op_fwht(ggml_backend_cuda_context&, const ggml_tensor*, ggml_tensor*) {
  return false;
}

// Products with a choice among experts.
void ggml_cuda_launch_mm_ids_helper(const int32_t*, int32_t*, int32_t*, int32_t*, int, int, int, int, int,
                                    int, ihipStream_t*) {
  kernel_missing("ggml_cuda_launch_mm_ids_helper");
}

// Sums over several GPUs.
ggml_cuda_ar_pipeline* ggml_cuda_ar_pipeline_init(const int*, size_t) {
  kernel_missing("ggml_cuda_ar_allreduce");
}

void ggml_cuda_ar_pipeline_free(ggml_cuda_ar_pipeline*) {}

bool ggml_cuda_ar_allreduce(ggml_cuda_ar_pipeline*, ggml_backend_t*, ggml_tensor**) {
  kernel_missing("ggml_cuda_ar_allreduce");
}

// Products of weights in types that Whisper's models do not come in.
template <ggml_type type> void mul_mat_q_case(ggml_backend_cuda_context&, const mmq_args&, ihipStream_t*) {
  kernel_missing((std::string("mul_mat_q<") + ggml_type_name(type) + ">").c_str());
}

#define LEFT_OUT_MMQ(type)                                                                                   \
  template void mul_mat_q_case<type>(ggml_backend_cuda_context&, const mmq_args&, ihipStream_t*);

LEFT_OUT_MMQ(GGML_TYPE_IQ1_S)
LEFT_OUT_MMQ(GGML_TYPE_IQ2_S)
LEFT_OUT_MMQ(GGML_TYPE_IQ2_XS)
LEFT_OUT_MMQ(GGML_TYPE_IQ2_XXS)
LEFT_OUT_MMQ(GGML_TYPE_IQ3_S)
LEFT_OUT_MMQ(GGML_TYPE_IQ3_XXS)
LEFT_OUT_MMQ(GGML_TYPE_IQ4_NL)
LEFT_OUT_MMQ(GGML_TYPE_IQ4_XS)
LEFT_OUT_MMQ(GGML_TYPE_MXFP4)
LEFT_OUT_MMQ(GGML_TYPE_NVFP4)

// Flash attention of other head sizes, of fewer key heads than query heads, and of other types of keys and
// values. Whisper's own: tile<64, 64>, vec<64, f16, f16>, mma<64, 64, 16|32|64, 1>.
template <int... sizes> [[noreturn]] void attention_missing(const char* kind) {
  std::string name = std::string("flash_attn_ext_") + kind;
  const char* before = "<";
  ((name += before + std::to_string(sizes), before = ", "), ...);
  kernel_missing((name + ">").c_str());
}

template <int DKQ, int DV> void ggml_cuda_flash_attn_ext_tile_case(ggml_backend_cuda_context&, ggml_tensor*) {
  attention_missing<DKQ, DV>("tile");
}

#define LEFT_OUT_TILE(dkq, dv)                                                                               \
  template void ggml_cuda_flash_attn_ext_tile_case<dkq, dv>(ggml_backend_cuda_context&, ggml_tensor*);

LEFT_OUT_TILE(40, 40)
LEFT_OUT_TILE(72, 72)
LEFT_OUT_TILE(80, 80)
LEFT_OUT_TILE(96, 96)
LEFT_OUT_TILE(112, 112)
LEFT_OUT_TILE(128, 128)
LEFT_OUT_TILE(192, 128)
LEFT_OUT_TILE(256, 256)
LEFT_OUT_TILE(320, 256)
LEFT_OUT_TILE(512, 512)
LEFT_OUT_TILE(576, 512)

template <int D, ggml_type type_K, ggml_type type_V>
void ggml_cuda_flash_attn_ext_vec_case(ggml_backend_cuda_context&, ggml_tensor*) {
  attention_missing<D, type_K, type_V>("vec");
}

#define LEFT_OUT_VEC(d, type)                                                                                \
  template void ggml_cuda_flash_attn_ext_vec_case<d, type, type>(ggml_backend_cuda_context&, ggml_tensor*);

LEFT_OUT_VEC(64, GGML_TYPE_Q4_0)
LEFT_OUT_VEC(64, GGML_TYPE_Q8_0)
LEFT_OUT_VEC(64, GGML_TYPE_BF16)
LEFT_OUT_VEC(128, GGML_TYPE_F16)
LEFT_OUT_VEC(128, GGML_TYPE_Q4_0)
LEFT_OUT_VEC(128, GGML_TYPE_Q8_0)
LEFT_OUT_VEC(128, GGML_TYPE_BF16)
LEFT_OUT_VEC(256, GGML_TYPE_F16)
LEFT_OUT_VEC(256, GGML_TYPE_Q4_0)
LEFT_OUT_VEC(256, GGML_TYPE_Q8_0)
LEFT_OUT_VEC(256, GGML_TYPE_BF16)

template <int DKQ, int DV, int ncols1, int ncols2>
void ggml_cuda_flash_attn_ext_mma_f16_case(ggml_backend_cuda_context&, ggml_tensor*) {
  attention_missing<DKQ, DV, ncols1, ncols2>("mma_f16");
}

// Only of NVIDIA's cards; the rest is left out in fattn_unit.cu.
template void ggml_cuda_flash_attn_ext_mma_f16_case<64, 64, 8, 1>(ggml_backend_cuda_context&, ggml_tensor*);
