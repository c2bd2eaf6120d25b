// ggml 0.15.1's softmax reduces twice in the same shared memory: a wave that is ahead may write its sum
// before another has read the maxima. Later versions (llama.cpp pull request 26385) give each reduction
// memory of its own; here a barrier stands before each sum, which is what follows a maximum.
#include "ggml-cuda/common.cuh"

template <block_reduce_method method, unsigned int block_size = 0, typename T>
static __device__ T block_reduce_after_barrier(T value, T* shared) {
  const bool several_waves = (block_size == 0 ? blockDim.x : block_size) > WARP_SIZE;
  if (method == block_reduce_method::SUM && several_waves)
    __syncthreads();
  return block_reduce<method, block_size>(value, shared);
}

#define block_reduce block_reduce_after_barrier
#include "ggml-cuda/softmax.cu"
#undef block_reduce
