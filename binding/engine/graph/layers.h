// The parts that Whisper's encoder and decoder are made of, as nodes of a graph.
#pragma once

#include "engine/weights.h"
#include "ggml-backend.h"

namespace whisper_hip {

// What every function here needs to know.
struct GraphBuilder {
  ggml_context* context;
  ggml_cgraph* graph;
  ggml_backend_t gpu;   // where the caches are; null when they are in ordinary memory
  float epsilon;        // of norms
  bool flash_attention; // fused, or as products with a softmax between them
  // Keys that are read many times are stored turned: see cpu/joined_operands.h.
  bool turned_keys = false;

  // (x - mean) / deviation * weight + bias
  ggml_tensor* norm(const Affine& weights, ggml_tensor* input) const;
  // weight x input + bias
  ggml_tensor* linear(const Affine& weights, ggml_tensor* input) const;
  // input + contract(gelu(expand(norm(input))))
  ggml_tensor* feed_forward(const FeedForwardWeights& weights, ggml_tensor* input) const;

  // softmax(Q K^T / sqrt(size) + mask) V. `query` f32 [state, sequences * tokens]; `key` and `value` f16
  // [size, keys, heads, sequences]; `mask` f16 [keys, tokens] or null. Returns f32 like `query`. `turned`:
  // whether the keys are.
  ggml_tensor* attend(ggml_tensor* query, int sequences, ggml_tensor* key, ggml_tensor* value,
                      ggml_tensor* mask, bool turned = false) const;
};

// Keys or values [state, rows] from `first_row` on, as heads: [size, rows, heads, sequences], where each of
// the sequences has `stride` rows.
ggml_tensor* heads_of(ggml_context* context, ggml_tensor* rows, int heads, int first_row, int count,
                      int sequences, int stride);

} // namespace whisper_hip
