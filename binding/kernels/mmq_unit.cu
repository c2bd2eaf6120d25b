// Chooses among the products of quantised weights. One of the types that Whisper's models do not come in has
// no instance of its own upstream, and would be compiled here.
#include "ggml-cuda/mmq.cuh"

#include "kernel_missing.h"

template <> void mul_mat_q_case<GGML_TYPE_Q1_0>(ggml_backend_cuda_context&, const mmq_args&, cudaStream_t) {
  kernel_missing("mul_mat_q<q1_0>");
}

#include "ggml-cuda/mmq.cu"
