// Arithmetic of F32 tensors; upstream has it for F16 too, in 114 kernels more.
#include "ggml-cuda/common.cuh"

#include "kernel_missing.h"

#include <utility>

// More specialised than upstream's, so that it is the one that is called for F16.
template <float (*bin_op)(const float, const float), typename src0_t, typename src1_t, typename dst_t,
          size_t... I>
static void launch_bin_bcast_pack(const ggml_tensor*, const ggml_tensor*, ggml_tensor*, const half*,
                                  const src1_t*, dst_t*, cudaStream_t, std::index_sequence<I...>) {
  kernel_missing("k_bin_bcast<f16>");
}

#include "ggml-cuda/binbcast.cu"
