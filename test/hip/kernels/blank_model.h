// Models of all sizes for graphs that are not computed: with weights that nobody has written.
#pragma once

#include "engine/device.h"
#include "engine/weights.h"

namespace whisper_hip {

struct Size {
  const char* names;
  int state, heads, layers, vocabulary, mels;
};

constexpr Size kSizes[] = {
    {"tiny", 384, 6, 4, 51865, 80},
    {"tiny.en", 384, 6, 4, 51864, 80},
    {"base", 512, 8, 6, 51865, 80},
    {"base.en", 512, 8, 6, 51864, 80},
    {"small", 768, 12, 12, 51865, 80},
    {"small.en, distil-small.en", 768, 12, 12, 51864, 80},
    {"medium", 1024, 16, 24, 51865, 80},
    {"medium.en, distil-medium.en", 1024, 16, 24, 51864, 80},
    {"large-v1, large-v2, distil-large-v2", 1280, 20, 32, 51865, 80},
    {"large-v3, large-v3-turbo, distil-large-v3", 1280, 20, 32, 51866, 128},
};

class BlankModel {
 public:
  // `layers`: of the encoder and of the decoder.
  BlankModel(const Size& size, int layers, ggml_type type, ggml_backend_buffer_type_t memory)
      : state_(size.state), type_(type), tensors_(describe_tensors(static_cast<size_t>(16 + 64 * layers))) {
    weights.mels = size.mels;
    weights.audio_positions = 1500;
    weights.audio_heads = weights.text_heads = size.heads;
    weights.text_positions = 448;
    weights.text_state = size.state;
    weights.vocabulary = size.vocabulary;
    weights.epsilon = 1e-5f;
    weights.convolutions[0] = convolution(size.mels);
    weights.convolutions[1] = convolution(state_);
    weights.audio_position_table = tensor(GGML_TYPE_F32, state_, weights.audio_positions);
    weights.encoder_norm = norm();
    weights.token_table = tensor(type_, state_, size.vocabulary);
    weights.text_position_table = tensor(GGML_TYPE_F32, state_, weights.text_positions);
    for (int i = 0; i < layers; ++i) {
      weights.encoder.push_back({attention(), feed_forward()});
      weights.decoder.push_back({attention(), attention(), feed_forward()});
    }
    weights.decoder_norm = norm();
    buffer_.reset(ggml_backend_alloc_ctx_tensors_from_buft(tensors_.get(), memory));
    ggml_backend_buffer_set_usage(buffer_.get(), GGML_BACKEND_BUFFER_USAGE_WEIGHTS);
  }

  ModelWeights weights = {};

 private:
  ggml_tensor* tensor(ggml_type type, int64_t a, int64_t b = 1, int64_t c = 1) {
    return ggml_new_tensor_3d(tensors_.get(), type, a, b, c);
  }
  ggml_tensor* vector(int64_t count) { return tensor(GGML_TYPE_F32, count); }
  Affine convolution(int64_t inputs) {
    return {tensor(GGML_TYPE_F16, 3, inputs, state_), tensor(GGML_TYPE_F32, 1, state_)};
  }
  Affine linear(int64_t inputs, int64_t outputs) { return {tensor(type_, inputs, outputs), vector(outputs)}; }
  Affine square() { return linear(state_, state_); }
  Affine norm() { return {vector(state_), vector(state_)}; }
  AttentionWeights attention() {
    return {norm(), square(), {tensor(type_, state_, state_), nullptr}, square(), square()};
  }
  FeedForwardWeights feed_forward() {
    return {norm(), linear(state_, 4 * state_), linear(4 * state_, state_)};
  }

  const int64_t state_;
  const ggml_type type_;
  Tensors tensors_;
  Buffer buffer_;
};

} // namespace whisper_hip
