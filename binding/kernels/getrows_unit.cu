// Rows of K-quantised weights, which upstream leaves to the CPU: Whisper takes its token embeddings this way,
// and would copy the whole matrix to the host for every token.
#define ggml_cuda_op_get_rows upstream_op_get_rows
#include "ggml-cuda/getrows.cu"
#undef ggml_cuda_op_get_rows

#include "k_quants.h"

namespace {

constexpr int kThreads = QK_K; // one for each value of a block

__device__ float value(const block_q2_K& block, int i) {
  const KQuant q = k_quant(block, i);
  const float2 dm = __half22float2(block.dm);
  return dm.x * q.scale * q.quant - dm.y * q.min;
}

__device__ float value(const block_q3_K& block, int i) {
  const KQuant q = k_quant(block, i);
  return __half2float(block.d) * q.scale * q.quant;
}

__device__ float value(const block_q4_K& block, int i) {
  const KQuant q = k_quant(block, i);
  const float2 dm = __half22float2(block.dm);
  return dm.x * q.scale * q.quant - dm.y * q.min;
}

__device__ float value(const block_q5_K& block, int i) {
  const KQuant q = k_quant(block, i);
  const float2 dm = __half22float2(block.dm);
  return dm.x * q.scale * q.quant - dm.y * q.min;
}

__device__ float value(const block_q6_K& block, int i) {
  const KQuant q = k_quant(block, i);
  return __half2float(block.d) * q.scale * q.quant;
}

// Grid: rows to take, blocks of a row, matrices. The strides are in bytes.
template <typename Block>
__global__ void get_k_rows(const char* src0, const char* src1, char* dst, int64_t ne12, size_t nb01,
                           size_t nb02, size_t nb03, size_t nb10, size_t nb11, size_t nb12, size_t nb1,
                           size_t nb2, size_t nb3) {
  const int64_t i10 = blockIdx.x, i11 = blockIdx.z / ne12, i12 = blockIdx.z % ne12;
  const int64_t i01 = *(const int32_t*)(src1 + i10 * nb10 + i11 * nb11 + i12 * nb12);
  const Block* row = (const Block*)(src0 + i01 * nb01 + i11 * nb02 + i12 * nb03);
  float* out = (float*)(dst + i10 * nb1 + i11 * nb2 + i12 * nb3);
  out[blockIdx.y * QK_K + threadIdx.x] = value(row[blockIdx.y], threadIdx.x);
}

template <typename Block> void launch_get_k_rows(ggml_backend_cuda_context& ctx, ggml_tensor* dst) {
  const ggml_tensor* src0 = dst->src[0];
  const ggml_tensor* src1 = dst->src[1];
  GGML_ASSERT(src1->type == GGML_TYPE_I32 && dst->type == GGML_TYPE_F32);
  GGML_ASSERT(src0->ne[0] % QK_K == 0 && src0->ne[0] / QK_K <= UINT16_MAX);
  GGML_ASSERT(src1->ne[1] * src1->ne[2] <= UINT16_MAX && src1->ne[3] == 1);
  GGML_ASSERT(src0->nb[0] == sizeof(Block) && dst->nb[0] == sizeof(float));
  const dim3 grid(src1->ne[0], src0->ne[0] / QK_K, src1->ne[1] * src1->ne[2]);
  get_k_rows<Block><<<grid, kThreads, 0, ctx.stream()>>>(
      (const char*)src0->data, (const char*)src1->data, (char*)dst->data, src1->ne[2], src0->nb[1],
      src0->nb[2], src0->nb[3], src1->nb[0], src1->nb[1], src1->nb[2], dst->nb[1], dst->nb[2], dst->nb[3]);
}

} // namespace

void ggml_cuda_op_get_rows(ggml_backend_cuda_context& ctx, ggml_tensor* dst) {
  switch (dst->src[0]->type) {
  case GGML_TYPE_Q2_K:
    return launch_get_k_rows<block_q2_K>(ctx, dst);
  case GGML_TYPE_Q3_K:
    return launch_get_k_rows<block_q3_K>(ctx, dst);
  case GGML_TYPE_Q4_K:
    return launch_get_k_rows<block_q4_K>(ctx, dst);
  case GGML_TYPE_Q5_K:
    return launch_get_k_rows<block_q5_K>(ctx, dst);
  case GGML_TYPE_Q6_K:
    return launch_get_k_rows<block_q6_K>(ctx, dst);
  default:
    return upstream_op_get_rows(ctx, dst);
  }
}
