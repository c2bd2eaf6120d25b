// Fewer tile widths of the products of quantised weights: what the instances of ggml-cuda/mmq.cuh are
// compiled with (-include). Upstream has 16 widths for each type and takes the narrowest that covers the
// columns, or the widest that fits into shared memory. A width that is left out becomes the next narrower one
// of 8, 16, 32, 48, 64, 96 and 128: it needs less memory and more tiles, and the result is the same. The
// encoder's 1500 columns keep the width of upstream: 128 (96 for q2_K on matrix cores), or 64 on cards for
// which upstream allows no more.
//
// Only CDNA splits a product among blocks in a way that another kernel has to complete; elsewhere that kernel
// is empty.
#pragma once

#include "ggml-cuda/mmq.cuh"

#define WHISPER_HIP_MMQ_TILE(type, width, instead)                                                           \
  template <>                                                                                                \
  void launch_mul_mat_q<type, width>(ggml_backend_cuda_context & ctx, const mmq_args& args,                  \
                                     cudaStream_t stream) {                                                  \
    launch_mul_mat_q<type, instead>(ctx, args, stream);                                                      \
  }

#if defined(__HIP_DEVICE_COMPILE__) && !defined(CDNA)
#define WHISPER_HIP_MMQ_NO_FIXUP(type, width, need_check)                                                    \
  template <>                                                                                                \
  __global__ void mul_mat_q_stream_k_fixup<type, width, need_check>(                                         \
      const int32_t*, const int32_t*, float*, float*, const uint3, const int, const int, const int,          \
      const uint3, const int, const uint3, const int, const uint3) {}
#else
#define WHISPER_HIP_MMQ_NO_FIXUP(type, width, need_check)
#endif

#define WHISPER_HIP_MMQ_KEPT(type, width)                                                                    \
  WHISPER_HIP_MMQ_NO_FIXUP(type, width, false)                                                               \
  WHISPER_HIP_MMQ_NO_FIXUP(type, width, true)

// The instances name this macro with a type.
#undef DECL_MMQ_CASE
#define DECL_MMQ_CASE(type)                                                                                  \
  WHISPER_HIP_MMQ_KEPT(type, 8)                                                                              \
  WHISPER_HIP_MMQ_KEPT(type, 16)                                                                             \
  WHISPER_HIP_MMQ_KEPT(type, 32)                                                                             \
  WHISPER_HIP_MMQ_KEPT(type, 48)                                                                             \
  WHISPER_HIP_MMQ_KEPT(type, 64)                                                                             \
  WHISPER_HIP_MMQ_KEPT(type, 96)                                                                             \
  WHISPER_HIP_MMQ_KEPT(type, 128)                                                                            \
  WHISPER_HIP_MMQ_TILE(type, 24, 16)                                                                         \
  WHISPER_HIP_MMQ_TILE(type, 40, 32)                                                                         \
  WHISPER_HIP_MMQ_TILE(type, 56, 48)                                                                         \
  WHISPER_HIP_MMQ_TILE(type, 72, 64)                                                                         \
  WHISPER_HIP_MMQ_TILE(type, 80, 64)                                                                         \
  WHISPER_HIP_MMQ_TILE(type, 88, 64)                                                                         \
  WHISPER_HIP_MMQ_TILE(type, 104, 96)                                                                        \
  WHISPER_HIP_MMQ_TILE(type, 112, 96)                                                                        \
  WHISPER_HIP_MMQ_TILE(type, 120, 96)                                                                        \
  template void mul_mat_q_case<type>(ggml_backend_cuda_context & ctx, const mmq_args& args,                  \
                                     cudaStream_t stream)
