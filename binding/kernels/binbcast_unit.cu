// Sums and products of F32 tensors; upstream has three operations more, and all of them for F16 too.
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

static __device__ float op_repeat(const float, const float);
static __device__ float op_sub(const float, const float);
static __device__ float op_div(const float, const float);

template <float (*bin_op)(const float, const float), int n_fuse> struct bin_bcast_cuda;

#define LEFT_OUT(op, n_fuse)                                                                                 \
  template <> struct bin_bcast_cuda<op, n_fuse> {                                                            \
    template <typename... T> void operator()(T...) { kernel_missing("k_bin_bcast<" #op ">"); }               \
  };

LEFT_OUT(op_repeat, 0)
LEFT_OUT(op_sub, 1)
LEFT_OUT(op_div, 1)

#include "ggml-cuda/binbcast.cu"
