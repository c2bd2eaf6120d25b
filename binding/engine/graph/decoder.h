// A pass of the decoder over some tokens of several windows at once.
#pragma once

#include <vector>

#include "engine/cache/sequences.h"
#include "engine/cache/windows.h"
#include "engine/graph/layers.h"

namespace whisper_hip {

// The sequences of one window: the first ones of its block, each with the same number of tokens.
struct DecoderPart {
  const EncodedWindow* window;
  const SequenceBlock* block;
  int sequences;
};

struct AttentionHead {
  int layer;
  int head;
};

struct DecoderShape {
  std::vector<DecoderPart> parts; // those of a chunk side by side
  int tokens;                     // of each sequence
  int keys;                       // positions of the self-attention that are looked at; others are masked
  int logit_rows;                 // 0 = none
  bool all_rows;                  // logits of all rows, in their order
  const std::vector<AttentionHead>* heads; // whose cross-attention is wanted, of a single part; or null

  int rows() const;
};

// The tensors that go in and come out. Rows are tokens: [part, sequence, token].
struct DecoderGraph {
  ggml_tensor* tokens = nullptr;    // i32 [rows]
  ggml_tensor* positions = nullptr; // i32 [rows]
  ggml_tensor* cells = nullptr;     // i64 [rows], of the chunk: sequence * text_positions + position
  ggml_tensor* mask = nullptr;      // f16 [keys, tokens, 1, parts]; 0 or -infinity
  ggml_tensor* wanted = nullptr;    // i32 [logit_rows], unless all are
  ggml_tensor* logits = nullptr;    // f32 [vocabulary, logit_rows]
  // Softmax of each wanted head, in order: f32 [positions, rows].
  std::vector<ggml_tensor*> attention;
};

// Most nodes of such a graph.
size_t decoder_nodes(const ModelWeights& weights, size_t parts);

// `scratch`: f32 [text_state, most rows], in memory of the device: where the attention of several parts comes
// together.
DecoderGraph build_decoder(const GraphBuilder& builder, const ModelWeights& weights,
                           const DecoderShape& shape, ggml_tensor* scratch);

} // namespace whisper_hip
