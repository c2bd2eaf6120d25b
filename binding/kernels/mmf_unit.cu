// Chooses among the kernels of mmf_f16.h, and says which products they are for.
#include "mmf_f16.h"

#define WHISPER_HIP_MMF_MISSING(T, name)                                                                     \
  template <>                                                                                                \
  void mul_mat_f_switch_rows_per_block<T>(                                                                   \
      const int, const T*, const float*, const int32_t*, float*, const int64_t, const int64_t,               \
      const int64_t, const int64_t, const int64_t, const int64_t, const int64_t, const int, const int64_t,   \
      const int64_t, const int64_t, const int64_t, const int64_t, const int64_t, const int64_t,              \
      const int64_t, const int64_t, const int64_t, const int64_t, cudaStream_t, const mmf_ids_data*) {       \
    kernel_missing("mul_mat_f<" name ">");                                                                   \
  }
WHISPER_HIP_MMF_MISSING(float, "f32")
WHISPER_HIP_MMF_MISSING(nv_bfloat162, "bf16")

#define ggml_cuda_should_use_mmf upstream_should_use_mmf
#include "ggml-cuda/mmf.cu"
#undef ggml_cuda_should_use_mmf

bool ggml_cuda_should_use_mmf(ggml_type type, int cc, int warp_size, const int64_t* src0_ne,
                              const size_t* src0_nb, const int src1_ncols, bool mul_mat_id) {
  return type == GGML_TYPE_F16 &&
         upstream_should_use_mmf(type, cc, warp_size, src0_ne, src0_nb, src1_ncols, mul_mat_id);
}
