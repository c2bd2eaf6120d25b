// Products of weights with at most 16 columns on matrix cores, for F16 weights only: what ggml-cuda/mmf.cu
// and its instances are compiled with (-include). Upstream makes three kernels of each, two of them for a
// choice among experts, and has them for F32 and BF16 too; those products go to hipBLAS here (see
// mmf_unit.cu). Chips that upstream chooses other kernels for (ggml_cuda_should_use_mmf) get no code: CDNA 1
// and 2, and RDNA 3.0 for more than 8 columns (WHISPER_HIP_MANY_COLUMNS).
#pragma once

#include "ggml-cuda/common.cuh"

#if defined(__HIP_DEVICE_COMPILE__)
#if defined(CDNA1) || defined(CDNA2)
#undef AMD_MFMA_AVAILABLE
#elif defined(RDNA3_0) && defined(WHISPER_HIP_MANY_COLUMNS)
#undef AMD_WMMA_AVAILABLE
#endif
#endif

#include "ggml-cuda/mmf.cuh"

#include "kernel_missing.h"

#define WHISPER_HIP_MMF_PARAMETERS(T)                                                                        \
  const T *x, const float *y, const int32_t *ids, float *dst, const int64_t ncols_x,                         \
      const int64_t ncols_dst, const int64_t nchannels_dst, const int64_t stride_row,                        \
      const int64_t stride_col_y, const int64_t stride_col_dst, const int64_t stride_col_id,                 \
      const int64_t stride_row_id, const int64_t channel_ratio, const int64_t stride_channel_x,              \
      const int64_t stride_channel_y, const int64_t stride_channel_dst, const int64_t sample_ratio,          \
      const int64_t stride_sample_x, const int64_t stride_sample_y, const int64_t stride_sample_dst,         \
      const dim3 &block_nums, const dim3 &block_dims, const int nbytes_shared_total, cudaStream_t stream,    \
      const mmf_ids_data *ids_data

#define WHISPER_HIP_MMF_LAUNCH(rows, columns, warps)                                                         \
  template <>                                                                                                \
  inline void mul_mat_f_switch_ids<half2, rows, columns, warps>(WHISPER_HIP_MMF_PARAMETERS(half2)) {         \
    if (ids != nullptr)                                                                                      \
      kernel_missing("mul_mat_f for a choice among experts");                                                \
    mul_mat_f<half2, rows, columns, warps, false><<<block_nums, block_dims, nbytes_shared_total, stream>>>(  \
        x, y, ids, dst, ncols_x, columns, nchannels_dst, stride_row, stride_col_y, stride_col_dst,           \
        stride_col_id, stride_row_id, channel_ratio, stride_channel_x, stride_channel_y, stride_channel_dst, \
        sample_ratio, stride_sample_x, stride_sample_y, stride_sample_dst);                                  \
  }

#define WHISPER_HIP_MMF_ROWS(rows, columns)                                                                  \
  WHISPER_HIP_MMF_LAUNCH(rows, columns, 1)                                                                   \
  WHISPER_HIP_MMF_LAUNCH(rows, columns, 2)                                                                   \
  WHISPER_HIP_MMF_LAUNCH(rows, columns, 3)                                                                   \
  WHISPER_HIP_MMF_LAUNCH(rows, columns, 4)                                                                   \
  WHISPER_HIP_MMF_LAUNCH(rows, columns, 5)                                                                   \
  WHISPER_HIP_MMF_LAUNCH(rows, columns, 6)                                                                   \
  WHISPER_HIP_MMF_LAUNCH(rows, columns, 7)                                                                   \
  WHISPER_HIP_MMF_LAUNCH(rows, columns, 8)                                                                   \
  DECL_MMF_CASE_HELPER(half2, rows, columns)

// The instances name this macro with a number of columns.
#undef DECL_MMF_CASE
#define DECL_MMF_CASE(columns)                                                                               \
  WHISPER_HIP_MMF_ROWS(MMF_ROWS_PER_BLOCK, columns)                                                          \
  WHISPER_HIP_MMF_ROWS(MMF_ROWS_PER_BLOCK_CDNA, columns)
