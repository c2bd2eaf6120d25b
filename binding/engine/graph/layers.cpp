#include "engine/graph/layers.h"

#include <cmath>

#include "cpu/joined_operands.h"

namespace whisper_hip {

ggml_tensor* GraphBuilder::norm(const Affine& weights, ggml_tensor* input) const {
  ggml_tensor* result = ggml_mul(context, ggml_norm(context, input, epsilon), weights.weight);
  return ggml_add(context, result, weights.bias);
}

ggml_tensor* GraphBuilder::linear(const Affine& weights, ggml_tensor* input) const {
  ggml_tensor* product = ggml_mul_mat(context, weights.weight, input);
  return weights.bias != nullptr ? ggml_add(context, product, weights.bias) : product;
}

ggml_tensor* GraphBuilder::feed_forward(const FeedForwardWeights& weights, ggml_tensor* input) const {
  ggml_tensor* wide = ggml_gelu(context, linear(weights.expand, norm(weights.norm, input)));
  return ggml_add(context, linear(weights.contract, wide), input);
}

ggml_tensor* GraphBuilder::attend(ggml_tensor* query, int sequences, ggml_tensor* key, ggml_tensor* value,
                                  ggml_tensor* mask, bool turned) const {
  const int64_t size = key->ne[0], heads = key->ne[2], state = size * heads;
  const int64_t tokens = query->ne[1] / sequences;
  ggml_tensor* q =
      ggml_view_4d(context, query, size, tokens, heads, sequences, query->nb[1],
                   static_cast<size_t>(size) * query->nb[0], static_cast<size_t>(tokens) * query->nb[1], 0);
  const float scale = 1.0f / std::sqrt(static_cast<float>(size));
  if (flash_attention) {
    ggml_tensor* result = ggml_flash_attn_ext(context, q, key, value, mask, scale, 0.0f, 0.0f);
    if (turned)
      result->op_params[kTurnedHeads] = static_cast<int32_t>(heads);
    return ggml_reshape_2d(context, result, state, tokens * sequences);
  }
  ggml_tensor* weights = ggml_soft_max_ext(context, ggml_mul_mat(context, key, q), mask, scale, 0.0f);
  // [keys, size] of each head, for a product over the keys.
  ggml_tensor* columns = ggml_cont(context, ggml_transpose(context, value));
  ggml_tensor* merged = ggml_permute(context, ggml_mul_mat(context, columns, weights), 0, 2, 1, 3);
  return ggml_cont_2d(context, merged, state, tokens * sequences);
}

ggml_tensor* heads_of(ggml_context* context, ggml_tensor* rows, int heads, int first_row, int count,
                      int sequences, int stride) {
  const int64_t size = rows->ne[0] / heads;
  return ggml_view_4d(context, rows, size, count, heads, sequences, rows->nb[1],
                      static_cast<size_t>(size) * rows->nb[0], static_cast<size_t>(stride) * rows->nb[1],
                      static_cast<size_t>(first_row) * rows->nb[1]);
}

} // namespace whisper_hip
