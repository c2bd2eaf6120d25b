// The weights of a model by their place in it. They lie in the buffers of the model that was loaded.
#pragma once

#include <vector>

#include "ggml.h"

namespace whisper_hip {

// weight [inputs, outputs] x input + bias; of a norm weight [n] * input + bias.
struct Affine {
  ggml_tensor* weight = nullptr;
  ggml_tensor* bias = nullptr; // keys have none
};

struct AttentionWeights {
  Affine norm;
  Affine query, key, value, output;
};

struct FeedForwardWeights {
  Affine norm;
  Affine expand, contract;
};

struct EncoderLayer {
  AttentionWeights attention;
  FeedForwardWeights feed_forward;
};

struct DecoderLayer {
  AttentionWeights self;
  AttentionWeights cross;
  FeedForwardWeights feed_forward;
};

struct ModelWeights {
  int mels;
  int audio_positions; // of 20 ms: 1500
  int audio_heads;
  int text_positions; // 448
  int text_state;
  int text_heads;
  int vocabulary; // logits in a row
  float epsilon;  // of the norms

  Affine convolutions[2];
  ggml_tensor* audio_position_table;
  std::vector<EncoderLayer> encoder;
  Affine encoder_norm;

  ggml_tensor* token_table; // [text_state, vocabulary]; also gives the logits
  ggml_tensor* text_position_table;
  std::vector<DecoderLayer> decoder;
  Affine decoder_norm;
};

} // namespace whisper_hip
